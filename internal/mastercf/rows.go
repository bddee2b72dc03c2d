package mastercf

import (
	"fmt"
	"strings"

	"github.com/brood-project/brood/internal/plan"
)

// Row is one logical line of master.cf, its eight fields as written.
type Row struct {
	Name      string
	Transport string
	Private   string // "y", "n" or "-"
	Unpriv    string
	Chroot    string
	Wakeup    string // seconds, seconds with "?", or "-"
	MaxProc   string // a count or "-"
	Command   string
	Args      []string // each without the braces around it
	file      string
	line      logicalLine
	offsets   [fieldCount]int // where the fields start in the line
	rest      int             // where the arguments start
}

// The fields of a row, and what Postfix calls them in its log lines.
const (
	fieldName = iota
	fieldTransport
	fieldPrivate
	fieldUnpriv
	fieldChroot
	fieldWakeup
	fieldMaxProc
	fieldCommand
	fieldCount
)

var fieldNames = [fieldCount]string{
	"service name", "transport type", "private", "unprivileged", "chroot", "wakeup_time", "max_proc", "command",
}

// blanks separate the fields of a row.
const blanks = " \t\r\n"

// ParseMaster reads the text of a master.cf. The name of the file is for
// diagnostics only. Rows that lack a field or have an unknown transport are left
// out and told; what the other fields say is not looked at yet.
func ParseMaster(file, text string) ([]*Row, plan.Diagnostics) {
	return parseMaster(file, text, nil)
}

// parseMaster leaves out the services that are disabled, before it looks at
// more than their name and transport.
func parseMaster(file, text string, off disabled) ([]*Row, plan.Diagnostics) {
	var n notes
	var rows []*Row
	scanner := lineScanner{rest: text}
	for {
		l, ok := scanner.next()
		if !ok || n.hopeless(file, l.first) {
			return rows, n.told(file)
		}
		if !n.odd(file, l) {
			continue
		}
		if row := parseRow(&n, file, l, off); row != nil {
			rows = append(rows, row)
		}
	}
}

func parseRow(n *notes, file string, l logicalLine, off disabled) *Row {
	row := &Row{file: file, line: l}
	fields := [fieldCount]*string{
		&row.Name, &row.Transport, &row.Private, &row.Unpriv, &row.Chroot, &row.Wakeup, &row.MaxProc, &row.Command,
	}
	at := 0
	for i, field := range fields {
		start, end := token(l.text, at)
		if start == end {
			if i == fieldName {
				return nil // white space that is blank here and not elsewhere
			}
			n.add(plan.Error, l.pos(file, len(l.text)), 0,
				fmt.Sprintf("the row of %s has no %s field", quote(row.Name), fieldNames[i]),
				"write all eight: name type private unprivileged chroot wakeup maxproc command",
				fmt.Sprintf("%s: line %d: missing \"%s\" field", file, l.first, fieldNames[i]))
			return nil
		}
		*field, row.offsets[i], at = l.text[start:end], start, end
		if *field == "-" && (i == fieldTransport || i == fieldCommand) {
			row.bad(n, i, "the "+fieldNames[i]+" field has no default", "write it out",
				"field \""+fieldNames[i]+"\" has no default value")
			return nil
		}
		if i == fieldTransport && (off.matches(row.Name, row.Transport) || !row.knownTransport(n)) {
			return nil
		}
	}
	if !row.parseArgs(n, at) {
		return nil
	}
	return row
}

func (r *Row) knownTransport(n *notes) bool {
	_, known := transports[r.Transport]
	if !known {
		r.bad(n, fieldTransport, "unknown transport type "+quote(r.Transport),
			"write inet, unix, fifo, unix-dgram or pass", "bad transport type: "+r.Transport)
	}
	return known
}

// bad reports a field, with the file and line that Postfix puts before it.
func (r *Row) bad(n *notes, field int, what, instead, postfix string) {
	n.add(plan.Error, r.pos(field), 0, what, instead,
		fmt.Sprintf("%s: line %d: %s", r.file, r.line.first, postfix))
}

// token finds the next word at or after an offset.
func token(s string, at int) (start, end int) {
	for at < len(s) && strings.IndexByte(blanks, s[at]) >= 0 {
		at++
	}
	start = at
	for at < len(s) && strings.IndexByte(blanks, s[at]) < 0 {
		at++
	}
	return start, at
}

// argument finds the next argument: blanks within braces do not end it, and a
// brace that is never closed reaches to the end of the line.
func argument(s string, at int) (start, end int) {
	for at < len(s) && strings.IndexByte(blanks, s[at]) >= 0 {
		at++
	}
	start = at
	level := 0
	for ; at < len(s); at++ {
		switch c := s[at]; {
		case c == '{':
			level++
		case level > 0 && c == '}':
			level--
		case level == 0 && strings.IndexByte(blanks, c) >= 0:
			return start, at
		}
	}
	return start, at
}

// parseArgs takes what follows the command.
func (r *Row) parseArgs(n *notes, at int) bool {
	r.rest = at
	if at < len(r.line.text) {
		r.Args = make([]string, 0, strings.Count(r.line.text[at:], " "))
	}
	for {
		start, end := argument(r.line.text, at)
		if start == end {
			return true
		}
		raw := r.line.text[start:end]
		arg, fault := unbrace(raw)
		if fault != "" {
			n.add(plan.Error, r.line.pos(r.file, start), len(raw), "bad argument: "+fault+" in "+quote(raw),
				"write { text } for an argument with blanks, followed by a blank",
				fmt.Sprintf("%s: line %d: %s in \"%s\"", r.file, r.line.first, fault, raw))
			return false
		}
		r.Args, at = append(r.Args, arg), end
	}
}

// unbrace takes the outer braces off a word, and the blanks inside them. The
// fault is in Postfix's words.
func unbrace(s string) (text, fault string) {
	if s == "" || s[0] != '{' {
		return s, ""
	}
	length := balanced(s)
	switch {
	case length < 0:
		return "", "missing '}'"
	case length < len(s):
		return "", "syntax error after '}'"
	}
	return strings.Trim(s[1:length-1], spaces), ""
}

// Pos is where the row starts.
func (r *Row) Pos() plan.Pos { return r.line.pos(r.file, 0) }

// pos is where a field of the row is written.
func (r *Row) pos(field int) plan.Pos { return r.line.pos(r.file, r.offsets[field]) }

// String is the row on one line, so that it reads the same.
func (r *Row) String() string {
	words := []string{r.Name, r.Transport, r.Private, r.Unpriv, r.Chroot, r.Wakeup, r.MaxProc, r.Command}
	for at := r.rest; ; {
		start, end := argument(r.line.text, at)
		if start == end {
			return strings.Join(words, " ")
		}
		words, at = append(words, r.line.text[start:end]), end
	}
}
