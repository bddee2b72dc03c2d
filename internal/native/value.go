package native

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// durationUnits are the units of a span of time, longest first.
var durationUnits = []struct {
	name string
	span time.Duration
}{
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"ms", time.Millisecond},
	{"m", time.Minute},
	{"s", time.Second},
}

// parseDuration reads "60s" or "1h30m": whole numbers, each with its unit.
func parseDuration(text string) (time.Duration, error) {
	if text == "" {
		return 0, fmt.Errorf("it is empty")
	}
	var total time.Duration
	for rest := text; rest != ""; {
		digits := leading(rest, "0123456789")
		switch {
		case digits == "" && !strings.ContainsAny(text, "0123456789"):
			return 0, fmt.Errorf("%s is no time", quoted(rest))
		case digits == "" || len(digits) > 9:
			return 0, fmt.Errorf("%s is no whole number", quoted(rest))
		}
		rest = rest[len(digits):]
		name := leading(rest, "abcdefghijklmnopqrstuvwxyz")
		rest = rest[len(name):]
		unit := durationUnit(name)
		if unit == 0 {
			switch {
			case strings.HasPrefix(rest, "."), strings.HasPrefix(rest, ","):
				return 0, fmt.Errorf("only whole numbers are known")
			case name == "":
				return 0, fmt.Errorf("%s has no unit", quoted(digits))
			}
			return 0, fmt.Errorf("%s is no unit of time", quoted(name))
		}
		n, _ := strconv.ParseInt(digits, 10, 64)
		if n > int64(timeMax/unit) {
			return 0, fmt.Errorf("it is longer than %s", formatDuration(timeMax))
		}
		if total += time.Duration(n) * unit; total > timeMax {
			return 0, fmt.Errorf("it is longer than %s", formatDuration(timeMax))
		}
	}
	return total, nil
}

func durationUnit(name string) time.Duration {
	for _, u := range durationUnits {
		if u.name == name {
			return u.span
		}
	}
	return 0
}

// formatDuration writes a span as parseDuration reads it: in as few units as
// make it exact.
func formatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, name := range []string{"d", "h", "m", "s", "ms"} {
		unit := durationUnit(name)
		if n := d / unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, name)
			d -= n * unit
		}
	}
	return b.String()
}

// leading is the beginning of text that consists of the given letters.
func leading(text, letters string) string {
	for i := 0; i < len(text); i++ {
		if strings.IndexByte(letters, text[i]) < 0 {
			return text[:i]
		}
	}
	return text
}

// guessValue is the time or size that was meant by text that is none, "" when
// it cannot be told.
func guessValue(k *key, text string) string {
	if k.zero != "" && slices.Contains(noneWords, strings.ToLower(text)) {
		return k.zero
	}
	m := looseForm().FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if m == nil {
		return ""
	}
	unitName, mark := m[3], strings.TrimSpace(m[2]+m[4])
	number, err := strconv.ParseFloat(strings.Replace(m[1], ",", ".", 1), 64)
	if err != nil || number > 1e6 {
		return ""
	}
	switch k.kind {
	case kindTime, kindEvery:
		if unitName == "" && !strings.ContainsAny(m[1], ".,") {
			return m[1] + "s" + mark
		}
		unit := durationUnit(looseUnits[unitName])
		d := time.Duration(number * float64(unit)).Truncate(time.Millisecond)
		if d <= 0 || d > timeMax {
			return ""
		}
		return formatDuration(d) + mark
	case kindSize, kindLimit:
		letter := strings.ToUpper(unitName[:min(1, len(unitName))])
		if number == float64(int64(number)) && letter != "" && strings.Contains(sizeLetters, letter) {
			return strconv.FormatInt(int64(number), 10) + letter
		}
	}
	return ""
}

// noneWords are how other programs write that there is no limit.
var noneWords = []string{"never", "forever", "off", "none", "no", "unlimited", "infinity", "infinite", "inf", "disabled", "0", "-1"}

var looseForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([0-9]{1,9}(?:[.,][0-9]{1,3})?) *(\?? *)([a-z]*)( *\??)$`)
})

// looseUnits are units of time as other programs write them.
var looseUnits = map[string]string{
	"": "s", "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
	"ms": "ms", "msec": "ms", "millisecond": "ms", "milliseconds": "ms",
	"m": "m", "min": "m", "mins": "m", "minute": "m", "minutes": "m",
	"h": "h", "hr": "h", "hour": "h", "hours": "h",
	"d": "d", "day": "d", "days": "d", "w": "w", "week": "w", "weeks": "w",
}

const sizeLetters = "KMGT"

// parseSize reads a number of bytes: "512M", "1G", "65536". The letters are
// powers of 1024.
func parseSize(text string) (int64, error) {
	digits := leading(text, "0123456789")
	unit := text[len(digits):]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is no whole number with K, M, G or T behind it", quoted(text))
	}
	if unit == "" {
		return n, nil
	}
	i := strings.Index(sizeLetters, unit)
	if len(unit) != 1 || i < 0 {
		return 0, fmt.Errorf("%s is none of the units K, M, G, T", quoted(unit))
	}
	shift := uint(10 * (i + 1))
	if n > (1<<62)>>shift {
		return 0, fmt.Errorf("it is too large")
	}
	return n << shift, nil
}

// formatSize writes a size as parseSize reads it.
func formatSize(n int64) string {
	letter := ""
	for i := 0; i < len(sizeLetters) && n > 0 && n%1024 == 0; i++ {
		n /= 1024
		letter = sizeLetters[i : i+1]
	}
	return strconv.FormatInt(n, 10) + letter
}

// parseMode reads permission bits or a mask: up to four octal digits.
func parseMode(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || len(text) > 5 || n > 0o7777 {
		return 0, fmt.Errorf("%s is no octal number such as 0660", quoted(text))
	}
	return uint32(n), nil
}

// signals are those that can end or notify a worker, by number as on Linux
// for x86, arm and riscv.
var signals = map[string]int{
	"HUP": 1, "INT": 2, "QUIT": 3, "ABRT": 6, "KILL": 9, "USR1": 10, "USR2": 12,
	"ALRM": 14, "TERM": 15, "CONT": 18, "WINCH": 28,
}

// signalNames is signals in the order of their numbers, for messages.
var signalNames = []string{"HUP", "INT", "QUIT", "ABRT", "KILL", "USR1", "USR2", "ALRM", "TERM", "CONT", "WINCH"}
