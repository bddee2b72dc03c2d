package scoreboard

import (
	"fmt"
	"strings"
)

// shellPlain are the characters, beside letters and digits, that mean
// themselves to every shell.
const shellPlain = "%+,-./:=@_"

// ShellLine writes a command so that it can be pasted into a shell, and is one
// line whatever the arguments hold. What means itself is left as it is, and so is
// [Hidden].
func ShellLine(command []string) string {
	words := make([]string, len(command))
	for i, word := range command {
		if words[i] = word; word != Hidden {
			words[i] = shellWord(word, i == 0)
		}
	}
	return strings.Join(words, " ")
}

// shellWord quotes one word. A program with = in its name would be taken for an
// assignment. Control characters, which quotes would hand to the terminal, are
// escaped as bash, ksh, zsh and POSIX.1-2024 understand it.
func shellWord(word string, program bool) string {
	switch {
	case strings.ContainsFunc(word, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "$'" + escapeControls(word) + "'"
	case word != "" && !strings.ContainsFunc(word, special) && !(program && strings.Contains(word, "=")):
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// special tells whether a shell may take a character for more than itself.
func special(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !letter && !strings.ContainsRune(shellPlain, r)
}

// escapeControls works byte by byte, so that what is not UTF-8 stays as it is.
func escapeControls(word string) string {
	var b strings.Builder
	for i := range len(word) {
		switch c := word[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
