package scoreboard

import (
	"strings"
	"unicode/utf8"
)

// Text is the story in lines of at most width characters: the cause, its proof,
// and then blocks with a title each. The first line begins with the service.
// What a program has said stays as it is, however long its lines are.
func (st Story) Text(width int) string {
	var lines []string
	lines = append(lines, Wrap(st.Cause, "", "  ", width)...)
	if st.Proof != "" {
		lines = append(lines, Wrap(st.Proof, "  ", "  ", width)...)
	}
	for _, b := range []struct {
		title     string
		sentences []string
	}{
		{"What happened", st.Happened},
		{"Found now", st.Found},
		{"What brood does", st.Next},
		{"What you can do", st.Do},
	} {
		if len(b.sentences) == 0 {
			continue
		}
		lines = append(lines, "", b.title)
		for _, s := range b.sentences {
			if strings.HasPrefix(s, "| ") {
				lines = append(lines, "    "+s)
				continue
			}
			text, command, found := strings.Cut(s, "\n")
			lines = append(lines, Wrap(text, "  ", "    ", width)...)
			if found { // To be copied as it is: spaces and line breaks count.
				lines = append(lines, "    "+command)
			}
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// Wrap breaks a text into lines of at most width characters. The first begins
// with one text, the others with another. A word is never cut: paths are there
// to be copied.
func Wrap(text, first, rest string, width int) []string {
	var lines []string
	line, empty := first, true
	for _, word := range strings.Fields(text) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	return append(lines, line)
}
