package mastercf

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/plan"
)

// fail reports a parameter whose value cannot be used.
func (l *loader) fail(name, what, instead, postfix string) {
	if !strings.Contains(what, name) {
		what = name + ": " + what
	}
	l.add(plan.Error, l.params.Pos(name), 0, what, instead, postfix)
}

// text is the expanded value of a parameter of at least so many bytes. What is
// wrong with it is reported.
func (l *loader) text(name string, least int) string {
	value, err := l.params.Value(name)
	if err != nil {
		var bad *ExpandError
		errors.As(err, &bad)
		postfix := bad.Postfix
		if postfix != "" {
			postfix += "\ndictionary mail_dict: macro processing error"
		}
		l.fail(name, bad.What, "correct the reference", postfix)
		return value
	}
	if len(value) < least {
		l.fail(name, name+" is empty", "give it a value, or remove the line to get the default",
			fmt.Sprintf("bad string length %d < %d: %s = %s", len(value), least, name, value))
	}
	return value
}

// count is the value of a whole number that is at least so large.
func (l *loader) count(name string, least int) int {
	value := l.text(name, 0)
	n, err := strconv.ParseInt(value, 10, 32)
	switch {
	case err != nil:
		l.fail(name, "bad number "+quote(value)+" for "+name, "write a whole number",
			"bad numerical configuration: "+name+" = "+value)
		return least
	case int(n) < least:
		l.fail(name, fmt.Sprintf("%s is %d, below %d", name, n, least), fmt.Sprintf("write %d or more", least),
			fmt.Sprintf("invalid %s parameter value %d < %d", name, n, least))
		return least
	}
	return int(n)
}

// seconds is the value of a time that is at least so long; a number without
// unit is in seconds.
func (l *loader) seconds(name string, least int) int {
	value := l.text(name, 0)
	n, ok := ParseTime(value, 's')
	switch {
	case !ok:
		l.fail(name, "bad time "+quote(value)+" for "+name, "write a number and s, m, h, d or w, such as 60s",
			"parameter "+name+": bad time value or unit: "+value)
		return least
	case n < least:
		l.fail(name, fmt.Sprintf("%s is %d s, below %d s", name, n, least), fmt.Sprintf("write %ds or more", least),
			fmt.Sprintf("invalid %s: %d (min %d)", name, n, least))
		return least
	}
	return n
}

// ParseTime reads a Postfix time: a whole number and one of s, m, h, d, w; the
// unit is given for a number without one. The result is in seconds, and false
// when the text is no time or does not fit 32 bits.
func ParseTime(s string, unit byte) (seconds int, ok bool) {
	digits := strings.TrimRight(s, "smhdwSMHDW")
	switch len(s) - len(digits) {
	case 0:
	case 1:
		unit = s[len(s)-1] | 0x20
	default:
		return 0, false
	}
	if !allDigits(digits) {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	factor := map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}[unit]
	if err != nil || n*factor > math.MaxInt32 {
		return 0, false
	}
	return int(n * factor), true
}
