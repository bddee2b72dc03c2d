package mastercf

import (
	"fmt"
	"strconv"
	"strings"
)

// The bounds of an expansion. Postfix has the first; without the second a few
// lines that double each other would fill the memory.
const (
	nestingMax     = 100
	expandedMax    = 1 << 20 // bytes
	expressionsMax = 100_000
)

// ExpandError is what is wrong with a value that refers to others.
type ExpandError struct {
	What    string // in our words
	Postfix string // as Postfix logs it; empty for what Postfix does not know
}

func (e *ExpandError) Error() string { return "cannot expand value: " + e.What }

func badReference(what, postfix string, args ...any) *ExpandError {
	return &ExpandError{What: what, Postfix: fmt.Sprintf(postfix, args...)}
}

// Expand replaces the references in a text: $name, ${name}, $(name), $$,
// ${name?text}, ${name:text}, ${name?{text}:{text}} and
// ${{text} OP {text} ? {text} : {text}}, recursively. A name that nobody knows
// is empty. The error is an *ExpandError.
func (p *Params) Expand(text string) (string, error) {
	if strings.IndexByte(text, '$') < 0 {
		return text, nil
	}
	e := expansion{params: p}
	out, err := e.expand(text, 0)
	if err != nil {
		return "", err
	}
	return out, nil
}

// expansion is one Expand under way.
type expansion struct {
	params      *Params
	expressions int
	written     int
}

func (e *expansion) expand(text string, depth int) (string, *ExpandError) {
	var out strings.Builder
	for i := 0; i < len(text); {
		if text[i] != '$' {
			end := strings.IndexByte(text[i:], '$')
			if end < 0 {
				end = len(text) - i
			}
			out.WriteString(text[i : i+end])
			e.written += end
			i += end
			continue
		}
		if strings.HasPrefix(text[i:], "$$") {
			out.WriteByte('$')
			i += 2
			continue
		}
		expr, length := reference(text[i+1:])
		if length < 0 {
			return "", badReference("the reference that starts at "+quote(text[i:])+" has no end",
				"truncated macro reference: \"%s\"", text)
		}
		if expr == "" {
			return "", badReference("a \"$\" without a name in "+quote(text)+" (write $$ for one \"$\")",
				"empty macro name: \"%s\"", text)
		}
		value, err := e.evaluate(expr, depth)
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		i += 1 + length
	}
	return out.String(), nil
}

// reference cuts the expression that follows a "$". It returns it without its
// outer braces, and its length with them; -1 when they are not closed.
func reference(s string) (string, int) {
	if s != "" && (s[0] == '{' || s[0] == '(') {
		length := balanced(s)
		if length < 0 {
			return "", -1
		}
		return s[1 : length-1], length
	}
	length := nameLength(s)
	return s[:length], length
}

// balanced is the length of the text in braces, or in parentheses, that s
// starts with; -1 when it has no end. The other pair counts for nothing.
func balanced(s string) int {
	open, closing := s[0], byte('}')
	if open == '(' {
		closing = ')'
	}
	level := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case open:
			level++
		case closing:
			level--
			if level == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// nameLength is the length of the parameter name that s starts with.
func nameLength(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return i
		}
	}
	return len(s)
}

// evaluate gives the value of what stands in ${…}.
func (e *expansion) evaluate(expr string, depth int) (string, *ExpandError) {
	e.expressions++
	switch {
	case depth > nestingMax:
		return "", badReference("references go round in a circle, or are nested too deep, at "+quote(expr),
			"unreasonable macro call nesting: \"%s\"", expr)
	case e.expressions > expressionsMax || e.written > expandedMax:
		return "", &ExpandError{What: fmt.Sprintf("the value grows beyond %d bytes or %d references",
			expandedMax, expressionsMax)}
	}
	rest := strings.TrimLeft(expr, spaces)
	var value string
	var err *ExpandError
	var operator byte
	if strings.HasPrefix(rest, "{") {
		value, rest, err = e.compare(rest, depth)
		operator, rest, err = chooser(rest, err)
	} else {
		value, operator, rest, err = e.named(expr, rest)
	}
	if err != nil {
		return "", err
	}
	switch operator {
	case '?':
		return e.choose(value != "", rest, depth)
	case ':':
		return e.otherwise(value != "", rest, depth)
	}
	return e.expand(value, depth+1)
}

// named looks up the name that an expression starts with. It returns the
// unexpanded value, the operator behind the name, and what follows it.
func (e *expansion) named(expr, rest string) (string, byte, string, *ExpandError) {
	length := nameLength(rest)
	name, after := rest[:length], strings.TrimLeft(rest[length:], spaces)
	var operator byte
	if after != "" {
		operator = after[0]
	}
	if length == 0 || operator != 0 && operator != '?' && operator != ':' {
		return "", 0, "", badReference("a name must be letters, digits and \"_\" in "+quote("${"+expr+"}"),
			"attribute name syntax error at: \"...%s>>>%s\"",
			expr[:len(expr)-len(rest)+length], upTo20(rest[length:]))
	}
	value, _ := e.params.Raw(name)
	if operator != 0 {
		after = after[1:]
	}
	return value, operator, after, nil
}

// chooser takes the operator behind a comparison.
func chooser(rest string, err *ExpandError) (byte, string, *ExpandError) {
	switch {
	case err != nil || rest == "":
		return 0, rest, err
	case rest[0] != '?' && rest[0] != ':':
		return 0, rest, badReference("\"?\" or \":\" must follow a comparison, before "+quote(rest),
			"\"?\" or \":\" expected at: \"...}>>>%s\"", upTo20(rest))
	}
	return rest[0], rest[1:], nil
}

// choose evaluates what follows "?": {yes}, {yes}:{no}, or bare text.
func (e *expansion) choose(yes bool, rest string, depth int) (string, *ExpandError) {
	onYes, onNo := rest, ""
	if trimmed := strings.TrimLeft(rest, spaces); strings.HasPrefix(trimmed, "{") {
		var err *ExpandError
		if onYes, rest, err = payload(trimmed); err != nil {
			return "", err
		}
		switch {
		case strings.HasPrefix(rest, ":"):
			if onNo, err = lastText(rest[1:]); err != nil {
				return "", err
			}
		case rest != "":
			return "", badReference("\":\" must follow the text in braces, before "+quote(rest),
				"\":\" expected at: \"...%s}>>>%s\"", onYes, upTo20(rest))
		}
	}
	if yes {
		return e.expand(onYes, depth+1)
	}
	return e.expand(onNo, depth+1)
}

// otherwise evaluates what follows ":".
func (e *expansion) otherwise(set bool, rest string, depth int) (string, *ExpandError) {
	text, err := lastText(rest)
	if err != nil || set {
		return "", err
	}
	return e.expand(text, depth+1)
}

// lastText is the text that ends an expression, in braces or bare.
func lastText(s string) (string, *ExpandError) {
	trimmed := strings.TrimLeft(s, spaces)
	if !strings.HasPrefix(trimmed, "{") {
		return s, nil
	}
	text, rest, err := payload(trimmed)
	if err == nil && rest != "" {
		err = badReference("nothing may follow the last text in braces, but there is "+quote(rest),
			"unexpected input at: \"...%s}>>>%s\"", text, upTo20(rest))
	}
	return text, err
}

// payload takes the text in braces that s starts with, and what follows it
// without leading blanks.
func payload(s string) (string, string, *ExpandError) {
	length := balanced(s)
	if length < 0 {
		return "", "", badReference("a \"{\" is not closed in "+quote(s),
			"unbalanced {} in attribute expression: \"%s\"", s)
	}
	return s[1 : length-1], strings.TrimLeft(s[length:], spaces), nil
}

// compare evaluates {a} OP {b}: "true", or empty when it does not hold.
func (e *expansion) compare(s string, depth int) (string, string, *ExpandError) {
	left, rest, err := payload(s)
	if err != nil {
		return "", "", err
	}
	operator, behind, err := comparisonOperator(left, rest)
	if err != nil {
		return "", "", err
	}
	test := comparisons[operator]
	right, rest, err := payload(behind)
	if err != nil {
		return "", "", err
	}
	a, err := e.expand(left, depth+1)
	if err != nil {
		return "", "", err
	}
	b, err := e.expand(right, depth+1)
	if err != nil || !test.holds(a, b) {
		return "", rest, err
	}
	return "true", rest, nil
}

// comparisonOperator takes the operator, of signs and perhaps a suffix of
// letters, that must stand before another text in braces.
func comparisonOperator(left, rest string) (operator, behind string, err *ExpandError) {
	signs := len(rest) - len(strings.TrimLeft(rest, "<>!=?+-*/~&|%"))
	if _, known := comparisons[rest[:signs]]; !known {
		return "", "", badReference("a comparison needs == != < <= > or >= before "+quote(rest),
			"%s expected at: \"...%s}>>>%s\"", operatorsPostfix, left, upTo20(rest))
	}
	end := signs + nameLength(rest[signs:])
	operator, behind = rest[:end], strings.TrimLeft(rest[end:], spaces)
	if _, known := comparisons[operator]; !known {
		return "", "", badReference("unknown comparison "+quote(operator),
			"bad operator suffix at: \"...%s>>>%s\"", rest[:signs], rest[signs:end])
	}
	if !strings.HasPrefix(behind, "{") {
		return "", "", badReference("{text} must follow "+quote(operator),
			"\"{expression}\" expected at: \"...{%s} %s>>>%s\"", left, operator, upTo20(rest[end:]))
	}
	return operator, behind, nil
}

// operatorsPostfix is how Postfix 3.7 lists the operators in its log.
const operatorsPostfix = `"==" or "!="" or "<"" or "<="" or ">="" or ">"`

// comparison is one operator, as the signs of the order that satisfy it.
type comparison struct {
	less, equal, greater bool
	levels               bool // of compatibility levels, which Postfix's defaults use
}

var comparisons = func() map[string]comparison {
	m := map[string]comparison{
		"==": {equal: true}, "!=": {less: true, greater: true},
		"<": {less: true}, "<=": {less: true, equal: true},
		">": {greater: true}, ">=": {greater: true, equal: true},
	}
	for _, operator := range []string{"==", "!=", "<", "<=", ">", ">="} {
		c := m[operator]
		c.levels = true
		m[operator+"level"] = c
	}
	return m
}()

func (c comparison) holds(a, b string) bool {
	order := compareText(a, b)
	if c.levels {
		order = compareLevels(a, b)
	}
	return order < 0 && c.less || order == 0 && c.equal || order > 0 && c.greater
}

// compareText orders numbers as numbers, anything else byte by byte.
func compareText(a, b string) int {
	if !allDigits(a) || !allDigits(b) {
		return strings.Compare(a, b)
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func compareLevels(a, b string) int {
	x, _ := parseLevel(a)
	y, _ := parseLevel(b)
	for i := range x {
		if x[i] != y[i] {
			return x[i] - y[i]
		}
	}
	return 0
}

// parseLevel reads a compatibility level: MAJOR, MAJOR.MINOR or
// MAJOR.MINOR.PATCH.
func parseLevel(s string) (level [3]int, ok bool) {
	parts := strings.Split(strings.Trim(s, spaces), ".")
	if len(parts) > len(level) {
		return level, false
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || !allDigits(part) {
			return level, false
		}
		level[i] = n
	}
	return level, true
}

func upTo20(s string) string { return s[:min(len(s), 20)] }
