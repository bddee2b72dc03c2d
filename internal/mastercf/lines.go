package mastercf

import (
	"sort"
	"strconv"
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
	rest   string
	line   int    // physical lines read so far
	joined []byte // the logical line so far, if it has continuation lines
}

// next returns the next logical line; false at the end of the file.
func (s *lineScanner) next() (logicalLine, bool) {
	var l logicalLine
	s.joined = s.joined[:0]
	for s.rest != "" {
		var physical string
		physical, s.rest, _ = strings.Cut(s.rest, "\n")
		s.line++
		if !blankOrComment(physical) {
			s.add(&l, physical)
		}
		if l.text != "" && !s.continues() {
			break
		}
	}
	if len(s.joined) > 0 {
		l.text = string(s.joined)
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
func (s *lineScanner) add(l *logicalLine, physical string) {
	if l.text == "" {
		l.text, l.first = physical, s.line
		return
	}
	if len(s.joined) == 0 {
		s.joined = append(s.joined, l.text...)
	}
	l.marks = append(l.marks, mark{len(s.joined), s.line})
	s.joined = append(s.joined, physical...)
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

// toldMax is how many errors of one file are told, and how many warnings: what
// has more of them is not such a file at all, or the work of a script, and
// nobody reads them one by one.
const toldMax = 100

// notes collects diagnostics.
type notes struct {
	list             plan.Diagnostics
	errors, warnings int
}

func (n *notes) add(severity plan.Severity, pos plan.Pos, length int, what, instead, postfix string) {
	if severity == plan.Error {
		n.errors++
	} else if n.warnings++; n.warnings > toldMax {
		return
	}
	n.list = append(n.list, plan.Diagnostic{
		Severity: severity, Pos: pos, What: what, Instead: instead, Length: length, Postfix: postfix,
	})
}

// hopeless tells whether there are so many errors that the rest of the file need
// not be looked at, and says so.
func (n *notes) hopeless(file string, line int) bool {
	if n.errors < toldMax {
		return false
	}
	n.add(plan.Error, plan.Pos{File: file, Line: line}, 0, "too many errors; the rest of the file was not read",
		"see that it is the right file, and whole", "")
	return true
}

// told is the diagnostics of a file, and how many more warnings there were.
func (n *notes) told(file string) plan.Diagnostics {
	if more := n.warnings - toldMax; more > 0 {
		n.warnings = 0
		n.add(plan.Warning, plan.Pos{File: file}, 0, strconv.Itoa(more)+" more warnings", "correct those above first", "")
	}
	return n.list
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
