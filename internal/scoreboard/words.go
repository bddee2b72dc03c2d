package scoreboard

import (
	"strconv"
	"strings"
)

// Spans in nanoseconds; package time is not for the pure.
const (
	millisecond = int64(1e6)
	second      = 1000 * millisecond
	minute      = 60 * second
	hour        = 60 * minute
	day         = 24 * hour
)

// units are the pairs in which a span is told, the largest first.
var units = []struct {
	size, rest     int64
	name, restName string
}{
	{day, hour, "d", "h"},
	{hour, minute, "h", "min"},
	{minute, second, "min", "s"},
}

// Span is a span in words, such as "250 ms", "1.2 s", "2 min 5 s" or "4 d 3 h".
// A negative one is that of a clock that was set back, and counts as none.
func Span(ns int64) string {
	for _, u := range units {
		if ns >= u.size {
			text := strconv.FormatInt(ns/u.size, 10) + " " + u.name
			if rest := ns % u.size / u.rest; rest > 0 {
				text += " " + strconv.FormatInt(rest, 10) + " " + u.restName
			}
			return text
		}
	}
	switch {
	case ns >= 10*second:
		return strconv.FormatInt(ns/second, 10) + " s"
	case ns >= second:
		return decimal(ns, second) + " s"
	case ns >= 10*millisecond:
		return strconv.FormatInt(ns/millisecond, 10) + " ms"
	case ns > 0:
		return decimal(max(ns, millisecond/10), millisecond) + " ms"
	}
	return "0 s"
}

// ShortSpan is a span for a table, such as "250ms", "1.2s", "2m5s" or "4d3h".
func ShortSpan(ns int64) string {
	return strings.ReplaceAll(strings.ReplaceAll(Span(ns), "min", "m"), " ", "")
}

// decimal is a number of units with one digit behind the point, but for a zero.
func decimal(n, unit int64) string {
	return strings.TrimSuffix(strconv.FormatFloat(float64(n*10/unit)/10, 'f', 1, 64), ".0")
}

// Size is a number of bytes in powers of 1024, such as "512K", "1.5M" or "20G".
func Size(bytes int64) string {
	if bytes < 1024 {
		return strconv.FormatInt(bytes, 10)
	}
	unit, names := int64(1024), "KMGTPE"
	for bytes/unit >= 1024 && len(names) > 1 {
		unit, names = unit*1024, names[1:]
	}
	if n := bytes / unit; n >= 10 {
		return strconv.FormatInt(n, 10) + names[:1]
	}
	return strconv.FormatFloat(float64(bytes)/float64(unit), 'f', 1, 64) + names[:1]
}

// count is a number with its noun, such as "1 worker" or "3 workers".
func count[N int | int64 | uint32 | uint64](n N, noun string) string {
	text := strconv.FormatInt(int64(n), 10) + " " + noun
	if n != 1 {
		text += "s"
	}
	return text
}

// join makes a list for a sentence: "a, b and c".
func join(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

// ago is how long before the picture something was.
func (p *Picture) ago(at int64) string { return Span(p.At-at) + " ago" }

// until is how long after the picture something will be.
func (p *Picture) until(at int64) string { return Span(at - p.At) }
