package mastercf

import (
	"sort"
	"strings"

	"github.com/brood-project/brood/internal/plan"
)

// logicalLine is one line of a Postfix file with its continuation lines
// joined and comments taken out.
type logicalLine struct {
	text  string
	first int    // the physical line that it starts in
	marks []mark // where the later physical lines start in text
	nul   bool   // it held a NUL byte, where text was cut off
}

// mark says that the text from offset on comes from a physical line.
type mark struct{ offset, line int }

// indented tells whether the line starts with white space, so that it
// continues nothing.
func (l logicalLine) indented() bool { return l.text != "" && isSpace(l.text[0]) }

// pos finds the place in the file of a byte of the text.
func (l logicalLine) pos(file string, offset int) plan.Pos {
	i := sort.Search(len(l.marks), func(i int) bool { return l.marks[i].offset > offset })
	if i == 0 {
		return plan.Pos{File: file, Line: l.first, Col: offset + 1}
	}
	m := l.marks[i-1]
	return plan.Pos{File: file, Line: m.line, Col: offset - m.offset + 1}
}

// lineScanner cuts a file into logical lines as Postfix does: a line that
// starts with white space goes on where the last one stopped, and blank lines
// and comments disappear, even between a line and its continuation.
type lineScanner struct {
	rest string
	line int // physical lines read so far
}

// next returns the next logical line; false at the end of the file.
func (s *lineScanner) next() (logicalLine, bool) {
	var l logicalLine
	for s.rest != "" {
		var physical string
		physical, s.rest, _ = strings.Cut(s.rest, "\n")
		s.line++
		if !blankOrComment(physical) {
			l.add(physical, s.line)
		}
		if l.text != "" && !s.continues() {
			break
		}
	}
	if l.text == "" {
		return l, false
	}
	// Postfix handles lines as C strings: what follows a NUL is not there.
	if i := strings.IndexByte(l.text, 0); i >= 0 {
		l.text, l.nul = l.text[:i], true
	}
	return l, true
}

// add appends a physical line. A line without continuation, the usual case,
// shares the file's memory.
func (l *logicalLine) add(physical string, line int) {
	if l.text == "" {
		l.text, l.first = physical, line
		return
	}
	l.marks = append(l.marks, mark{len(l.text), line})
	l.text += physical
}

// continues tells whether what follows may belong to the current line: it
// starts with white space, or with a comment that may hide more.
func (s *lineScanner) continues() bool {
	return s.rest != "" && (s.rest[0] == '#' || isSpace(s.rest[0]))
}

func blankOrComment(s string) bool {
	s = strings.TrimLeft(s, spaces)
	return s == "" || s[0] == '#'
}

// spaces are the bytes that isspace(3) knows in the C locale.
const spaces = " \t\n\v\f\r"

func isSpace(c byte) bool { return strings.IndexByte(spaces, c) >= 0 }

// allDigits tells whether s is a non-empty string of decimal digits.
func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// notes collects diagnostics.
type notes struct{ list plan.Diagnostics }

func (n *notes) add(severity plan.Severity, pos plan.Pos, length int, what, instead, postfix string) {
	n.list = append(n.list, plan.Diagnostic{
		Severity: severity, Pos: pos, What: what, Instead: instead, Length: length, Postfix: postfix,
	})
}

// odd reports the lines that neither file can use. It returns false when the
// line must be left out.
func (n *notes) odd(file string, l logicalLine) bool {
	pos := l.pos(file, 0)
	if l.nul {
		n.add(plan.Warning, l.pos(file, len(l.text)), 1, "NUL byte; the rest of the logical line is ignored",
			"remove the byte, the file may be damaged", "")
	}
	if l.indented() {
		shown, more := l.text, ""
		if len(shown) > 30 {
			shown, more = shown[:30], "..."
		}
		n.add(plan.Warning, pos, 0, "the line starts with white space but continues nothing, and is ignored",
			"start it in the first column",
			file+": logical line must not start with whitespace: \""+printable(shown)+more+"\"")
		return false
	}
	return l.text != ""
}

// printable replaces what Postfix would not print in a log line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
