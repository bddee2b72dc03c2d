package plan

import (
	"strconv"
	"strings"
)

// Pos is a place in a file of the operator's. Line and Col count from 1; 0
// means that it is not known.
type Pos struct {
	File string
	Line int
	Col  int
}

// String is FILE, FILE:LINE or FILE:LINE:COL.
func (p Pos) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		b.WriteString(":" + strconv.Itoa(p.Line))
		if p.Col > 0 {
			b.WriteString(":" + strconv.Itoa(p.Col))
		}
	}
	return b.String()
}

// Severity tells whether a plan can be carried out in spite of a diagnostic.
type Severity uint8

// A warning leaves the plan usable; an error does not.
const (
	Warning Severity = iota + 1
	Error
)

// Diagnostic is one thing that is wrong in the operator's files.
type Diagnostic struct {
	Severity Severity
	Pos      Pos
	// What is wrong, lower case, without a full stop.
	What string
	// Instead is what to write or do instead; may be empty.
	Instead string
	// Length is how many bytes from Pos.Col on are the offending text; 0 when
	// that is not known.
	Length int
	// Postfix is the line that Postfix's own master logs for this, which
	// other programs read; empty for what Postfix does not know.
	Postfix string
}

// String is FILE:LINE:COL: what; what to write instead.
func (d Diagnostic) String() string {
	s := d.What
	if p := d.Pos.String(); p != "" {
		s = p + ": " + s
	}
	if d.Instead != "" {
		s += "; " + d.Instead
	}
	return s
}

// Diagnostics is a list of them; as an error it is all lines, first to last.
type Diagnostics []Diagnostic

// Failed tells whether any of them is an error.
func (ds Diagnostics) Failed() bool {
	for _, d := range ds {
		if d.Severity == Error {
			return true
		}
	}
	return false
}

// Error joins the lines.
func (ds Diagnostics) Error() string {
	lines := make([]string, len(ds))
	for i, d := range ds {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}
