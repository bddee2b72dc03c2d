package native

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/brood-project/brood/internal/plan"
)

// Sources holds the text of every file that was read, by the name that
// positions use.
type Sources map[string][]byte

// shownMax is how many characters of a long source line are shown.
const shownMax = 120

// Render writes each diagnostic with the source line that it speaks of, the
// offending text underlined:
//
//	brood.toml:5:1: error: unknown key "max_uses"; write max_use
//	   5 | max_uses = 1000
//	     | ^~~~~~~~
//
// A diagnostic without a known place, or of a file that src does not hold, is
// one line. Control characters of the source are shown as U+FFFD. The error is
// the writer's.
func Render(w io.Writer, ds plan.Diagnostics, src Sources) error {
	var b bytes.Buffer
	for _, d := range ds {
		renderOne(&b, d, src[d.Pos.File])
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("cannot write diagnostics: %w", err)
	}
	return nil
}

func renderOne(b *bytes.Buffer, d plan.Diagnostic, data []byte) {
	word := "error"
	if d.Severity == plan.Warning {
		word = "warning"
	}
	if p := d.Pos.String(); p != "" {
		b.WriteString(shown(p) + ": ")
	}
	b.WriteString(word + ": " + d.What)
	if d.Instead != "" {
		b.WriteString("; " + d.Instead)
	}
	b.WriteByte('\n')
	line, ok := sourceLine(data, d.Pos.Line)
	if !ok || d.Pos.Col < 1 || d.Pos.Col > len(line)+1 {
		return
	}
	from := d.Pos.Col - 1
	upTo := min(from+max(d.Length, 1), len(line))
	before, marked, after := shown(line[:from]), shown(line[from:max(from, upTo)]), shown(line[max(from, upTo):])
	before, marked, after = fitLine(before, marked, after)

	number := fmt.Sprintf("%4d", d.Pos.Line)
	fmt.Fprintf(b, "%s | %s%s%s\n", number, before, marked, after)
	under := "^" + strings.Repeat("~", max(0, utf8.RuneCountInString(marked)-1))
	fmt.Fprintf(b, "%s | %s%s\n", strings.Repeat(" ", len(number)), blanked(before), under)
}

// sourceLine is a line by its number, without its line break.
func sourceLine(data []byte, line int) (string, bool) {
	for n := 1; len(data) > 0 || n == line; n++ {
		text, rest, _ := bytes.Cut(data, []byte{'\n'})
		if n == line {
			return strings.TrimSuffix(string(text), "\r"), line > 0
		}
		data = rest
	}
	return "", false
}

// shown makes text safe for a terminal: nothing in it moves the cursor.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// fitLine shortens a long line around the marked text.
func fitLine(before, marked, after string) (string, string, string) {
	before = keepEnd(before, shownMax/2)
	marked = keepStart(marked, shownMax)
	after = keepStart(after, max(0, shownMax-utf8.RuneCountInString(before)-utf8.RuneCountInString(marked)))
	return before, marked, after
}

func keepStart(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

func keepEnd(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return "…" + string(r[len(r)-n:])
	}
	return s
}

// blanked is as wide as text, tabs included.
func blanked(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, text)
}

// plural is "1 worker", "2 workers".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "s") {
		noun += "e"
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
