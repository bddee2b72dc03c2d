package native

import (
	"bytes"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2/unstable"
)

// byteOrderMark is what some editors put in front of UTF-8.
const byteOrderMark = "\xef\xbb\xbf"

// parseTOML makes the tree of a file. After a syntax error it goes on at the
// next line that looks like the beginning of something, so that one slip does
// not hide the others.
func parseTOML(src *source, r *report) *node {
	root := newTable("", span{src, 0, 0}, headed)
	b := &builder{src: src, report: r, root: root, into: root}
	if bytes.HasPrefix(src.data, []byte(byteOrderMark)) {
		r.errorf(span{src, 0, len(byteOrderMark)}, "the file begins with a byte order mark").instead("save it as UTF-8 without one")
		b.base = len(byteOrderMark)
	}
	for range syntaxErrorsMax {
		b.parser.Reset(src.data[b.base:])
		for b.parser.NextExpression() {
			b.expression(b.parser.Expression())
		}
		err := b.parser.Error()
		if err == nil {
			return root
		}
		b.base = b.recoverFrom(err)
	}
	r.errorf(span{src, b.base, b.base}, "the rest of this file was not read, after %d mistakes of syntax", syntaxErrorsMax).
		instead("mend those first")
	return root
}

// recoverFrom reports a syntax error, remembers the key that it hit, and
// returns the offset to go on at.
func (b *builder) recoverFrom(err error) int {
	at := b.offset(err)
	start := b.failedStart()
	if at < start {
		at = start
	}
	f := failure{src: b.src, start: start, at: at, message: err.Error()}
	where, what, instead := f.explain()
	b.report.errorf(where, "%s", what).instead("%s", instead)

	line := b.src.data[start:b.src.lineEnd(start)]
	if line[0] == '[' {
		b.into = b.failedHeader(line, start)
	} else if m := keyStart().FindSubmatch(line); m != nil && b.into.field(string(m[1])) == nil {
		key := span{b.src, start, start + len(m[1])}
		b.into.add(&node{kind: unstable.Invalid, name: string(m[1]), key: key, at: key})
	}
	b.last = b.resync(start, at, f.withinLine())
	return b.last
}

// withinLine tells whether what failed is one line, so that the next one is
// something else: no list, table or long text was open.
func (f failure) withinLine() bool {
	if f.src.lineEnd(f.start) < f.at {
		return false
	}
	if f.src.data[f.start] == '[' || strings.HasPrefix(f.message, "expected '=' after key") {
		return true
	}
	before := string(f.src.data[f.start:f.at])
	return !strings.ContainsAny(before, "[{") && !strings.Contains(before, `"""`) && !strings.Contains(before, "'''")
}

// failedHeader is the table that a header names which is not written well, so
// that what stands below it is looked at.
func (b *builder) failedHeader(line []byte, start int) *node {
	var parts []keyPart
	if m := headerStart().FindSubmatchIndex(line); m != nil {
		off := m[2]
		for _, name := range strings.Split(string(line[m[2]:m[3]]), ".") {
			parts = append(parts, keyPart{name, span{b.src, start + off, start + off + len(name)}})
			off += len(name) + 1
		}
		return b.header(parts)
	}
	return newTable("", span{b.src, start, start}, detached)
}

// offset is where in the file the parser stopped.
func (b *builder) offset(err error) int {
	var perr *unstable.ParserError
	if !errors.As(err, &perr) {
		return b.base
	}
	at := b.base + int(b.parser.Range(perr.Highlight).Offset)
	return min(at, len(b.src.data)-1)
}

// failedStart is where the expression begins that could not be parsed: behind
// the last good one, and behind blank lines and comments.
func (b *builder) failedStart() int {
	off := max(b.last, b.base)
	if b.last > b.base {
		off = b.src.lineEnd(off)
	}
	data := b.src.data
	for off < len(data)-1 {
		switch c := data[off]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			off++
		case c == '#' && b.src.lineEnd(off) < len(data)-1:
			off = b.src.lineEnd(off)
		default:
			return off
		}
	}
	return off
}

var (
	keyStart    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([A-Za-z0-9_-]+)[ \t]*(?:[.=:]|$|[ \t"'\[{0-9])`) })
	headerStart = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\[[ \t]*([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)[ \t]*(?:[\])}>]*[ \t]*(?:#.*)?)\r?$`)
	})
	lineStarter = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[ \t]*(?:[A-Za-z0-9_-]+(?:[ \t]*\.[ \t]*[A-Za-z0-9_-]+)*[ \t]*=|\[[^"',=]*$)`)
	})
)

// resync is the offset of the next line to parse: the one of the error, when
// it is not the first of its expression and looks like the next one, or a
// later one. Within one line any next one will do.
func (b *builder) resync(start, at int, withinLine bool) int {
	data := b.src.data
	off := b.src.pos(at)
	line := b.src.lines[off.Line-1]
	if line <= start {
		line = b.src.lineEnd(at) + 1
	}
	for line < len(data) {
		end := b.src.lineEnd(line)
		if withinLine || lineStarter().Match(data[line:end]) {
			return line
		}
		line = end + 1
	}
	return len(data)
}

// failure is a syntax error of the parser, to be told in the operator's words.
type failure struct {
	src       *source
	start, at int
	message   string
}

// explain names what is wrong, where, and what to write.
func (f failure) explain() (where span, what, instead string) {
	for _, known := range syntaxFailures {
		if strings.HasPrefix(f.message, known.message) {
			if where, what, instead = known.explain(f); what != "" {
				return where, what, instead
			}
		}
	}
	return f.here(1), "this is not TOML: " + f.message, "see https://toml.io/en/v1.0.0 for the notation"
}

// syntaxFailures turns the parser's messages, by their beginnings, into ours.
var syntaxFailures = []struct {
	message string
	explain func(failure) (span, string, string)
}{
	{"unexpected character", failure.bareValue},
	{"expected keyword", failure.bareValue},
	{"strings must be quoted", failure.trailing},
	{"expected \"", failure.bareValue},
	{"expected value, not end of input", failure.bareValue},
	{"expected newline but got", failure.trailing},
	{"expected digit but got", failure.trailing},
	{"expected '=' after key", failure.noEquals},
	{"expected ']", failure.openHeader},
	{"basic strings cannot have new lines", failure.openString},
	{"literal strings cannot have new lines", failure.openString},
	{"unterminated", failure.openString},
	{"expected ',' or ']'", failure.openList},
	{"array is incomplete", failure.openList},
	{"expected ',' or '}'", failure.openTable},
	{"inline table is incomplete", failure.openTable},
	{"invalid escape character", failure.escape},
	{"integers cannot have leading zeroes", failure.leadingZero},
	{"invalid character at start of key", failure.badKey},
	{"number must have at least one digit", failure.trailing},
	{"multiline basic string not terminated", failure.openText},
	{"multiline literal string not terminated", failure.openText},
}

func (f failure) here(length int) span {
	return span{f.src, f.at, min(f.at+length, len(f.src.data))}
}

// word is the text at an offset up to a blank or a sign that ends a value.
func (f failure) word(off int) span {
	end := off
	for end < len(f.src.data) && !bytes.ContainsRune([]byte(" \t\r\n,]}#"), rune(f.src.data[end])) {
		end++
	}
	return span{f.src, off, end}
}

// key is the key of the failed line, or "key" when there is none to be seen.
func (f failure) key() string {
	if m := keyStart().FindSubmatch(f.src.data[f.start:f.src.lineEnd(f.start)]); m != nil {
		return string(m[1])
	}
	return "key"
}

// bareValue is text without quotes, or nothing at all, where a value belongs.
func (f failure) bareValue() (span, string, string) {
	w := f.word(f.at)
	text := w.text()
	if text == "" {
		return f.here(1), "a value is missing", "write it behind the equals sign, or leave the whole line out"
	}
	if text[0] == '=' {
		return w, "a second equals sign", "write one: " + f.key() + " = …"
	}
	switch lower := strings.ToLower(text); lower {
	case "true", "false":
		return w, text + " is not how TOML writes it", "write " + lower
	case "yes", "on":
		return w, text + " is not how TOML writes it", "write true"
	case "no", "off":
		return w, text + " is not how TOML writes it", "write false, or \"off\" in quotes if that is the word"
	}
	if straight := strings.Trim(text, "“”„‘’«»"); straight != text {
		return w, "typographic quotes", "write " + quoted(straight)
	}
	return w, "text without quotes", "write " + quoted(text)
}

// trailing is something behind a complete value, most often the unit of a
// number without quotes.
func (f failure) trailing() (span, string, string) {
	from := f.at
	for from > f.start && strings.IndexByte(" \t=[{,", f.src.data[from-1]) < 0 {
		from--
	}
	w := f.word(from)
	text := w.text()
	if from < f.at && text != "" && text[0] >= '0' && text[0] <= '9' {
		return w, text + " is no number", "write it in quotes: " + quoted(text)
	}
	rest := trimRight(span{f.src, f.at, f.src.lineEnd(f.at)})
	if rest.off == rest.end {
		return w, quoted(text) + " is no value", "write a number, or text in quotes"
	}
	return rest, "text behind the end of the value",
		"one key and its value to a line; a remark begins with #, several values go into [ ]"
}

func (f failure) noEquals() (span, string, string) {
	line := trimRight(span{f.src, f.start, f.src.lineEnd(f.start)})
	if f.at < f.start || f.at > line.end {
		return line, "a key without a value", "write " + f.key() + " = …"
	}
	if i := strings.IndexByte(line.text(), ':'); i > 0 && f.at <= line.off+i {
		return span{f.src, line.off + i, line.off + i + 1}, "a colon where an equals sign belongs",
			"write " + f.key() + " = …"
	}
	return line, "a line that is neither [table] nor key = value", "write " + f.key() + " = …, or begin it with # if it is a remark"
}

func (f failure) openHeader() (span, string, string) {
	line := trimRight(span{f.src, f.start, f.src.lineEnd(f.start)})
	name := strings.Trim(strings.SplitN(line.text(), "#", 2)[0], "[] \t")
	what := "the header of a table is not closed"
	if strings.Contains(line.text(), "]") {
		what = "a name in the header of a table that is no single word"
	}
	if parts := strings.FieldsFunc(name, func(r rune) bool { return r == ':' || r == '/' }); len(parts) == 2 {
		name = parts[0] + " " + parts[1]
	}
	parts := strings.Fields(name)
	if len(parts) > 1 {
		name = parts[0] + "." + strconv.Quote(strings.Join(parts[1:], " "))
		if strings.HasSuffix(parts[0], ".") || len(parts) == 2 {
			name = strings.TrimSuffix(parts[0], ".") + "." + parts[1]
		}
	}
	return line, what, "write [" + name + "]"
}

// openString is a string whose closing quote is missing. The place is that of
// the opening one.
func (f failure) openString() (span, string, string) {
	lineStart := f.src.lines[f.src.pos(f.at).Line-1]
	quote, open := byte(0), -1
	for i := lineStart; i < f.at; i++ {
		switch c := f.src.data[i]; {
		case quote == 0 && (c == '"' || c == '\''):
			quote, open = c, i
		case quote == '"' && c == '\\':
			i++
		case c == quote:
			quote = 0
		}
	}
	if quote == 0 {
		return span{}, "", ""
	}
	return trimRight(span{f.src, open, f.src.lineEnd(open)}), "the closing quote is missing",
		"write " + string(quote) + " where the text ends"
}

// openText is a text over several lines that goes on to the end of the file.
func (f failure) openText() (span, string, string) {
	for _, quotes := range []string{`"""`, "'''"} {
		if i := bytes.Index(f.src.data[f.start:f.at+1], []byte(quotes)); i >= 0 {
			return trimRight(span{f.src, f.start + i, f.src.lineEnd(f.start + i)}),
				"a text over several lines that does not end", "write " + quotes + " where it ends"
		}
	}
	return span{}, "", ""
}

func (f failure) openList() (span, string, string) {
	if f.message == "array is incomplete" {
		return f.opening(), "a list without its closing bracket", "write ] behind its last value"
	}
	return f.afterValue(), "neither a comma nor a closing bracket behind this value",
		"write , before the next value, or ] at the end of the list"
}

func (f failure) openTable() (span, string, string) {
	if f.message == "inline table is incomplete" {
		return f.opening(), "a table without its closing brace", "write } behind its last value"
	}
	return f.afterValue(), "neither a comma nor a closing brace behind this value",
		"write , before the next key, or } at the end of the table"
}

// opening is the first line of the failed expression.
func (f failure) opening() span {
	return trimRight(span{f.src, f.start, f.src.lineEnd(f.start)})
}

// afterValue is the last word before the place where the parser gave up.
func (f failure) afterValue() span {
	end := f.at
	for end > f.start+1 && strings.IndexByte(" \t\r\n", f.src.data[end-1]) >= 0 {
		end--
	}
	off := end - 1
	for off > f.start && strings.IndexByte(" \t\r\n,[{=", f.src.data[off-1]) < 0 {
		off--
	}
	return span{f.src, off, end}
}

func (f failure) escape() (span, string, string) {
	return f.here(2), f.here(2).text() + " is no escape that TOML knows",
		`write \\ for one backslash, or put the text between single quotes`
}

func (f failure) leadingZero() (span, string, string) {
	w := f.word(f.at)
	return w, "a number with a zero in front", "write it in quotes if it is a mode (" + quoted(w.text()) + "), or without the zero"
}

func (f failure) badKey() (span, string, string) {
	if f.at == 0 && (bytes.HasPrefix(f.src.data, []byte("\xff\xfe")) || bytes.HasPrefix(f.src.data, []byte("\xfe\xff"))) {
		return span{f.src, 0, 2}, "the file is in UTF-16", "save it as UTF-8"
	}
	if w := f.word(f.at); f.at > f.start || f.src.data[f.at] >= 0x80 && bytes.IndexByte(f.src.data[f.at:w.end], '=') >= 0 {
		return w, "a key in other signs than A-Z, a-z, 0-9, _ and -", "write the key in these, or leave it out"
	}
	return f.opening(), "a line that is neither [table] nor key = value",
		"begin it with # if it is a remark"
}

func trimRight(s span) span {
	s.end = s.off + len(strings.TrimRight(s.text(), " \t\r"))
	return s
}

// quoted is text as a TOML string.
func quoted(text string) string { return strconv.Quote(text) }
