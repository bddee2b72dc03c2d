package output

import (
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/brood-project/brood/internal/plan"
)

// timeForm is how a time is written: RFC 3339 with milliseconds.
const timeForm = "2006-01-02T15:04:05.000Z07:00"

// appendText is "TIME SERVICE[PID] GENERATION: text"; what concerns a service as
// a whole has neither pid nor generation.
func appendText(b []byte, l *label, at time.Time, text []byte) []byte {
	b = append(at.AppendFormat(b, timeForm), ' ')
	b = appendName(b, l)
	if l.pid != 0 {
		b = strconv.AppendUint(append(b, ' '), uint64(l.generation), 10)
	}
	b = append(b, ": "...)
	return append(clean(b, text), '\n')
}

func appendName(b []byte, l *label) []byte {
	b = append(b, l.service...)
	if l.pid != 0 {
		b = append(strconv.AppendInt(append(b, '['), int64(l.pid), 10), ']')
	}
	return b
}

// appendJSON is the same as an object.
func appendJSON(b []byte, l *label, at time.Time, text []byte) []byte {
	b = append(at.AppendFormat(append(b, `{"time":"`...), timeForm), `","service":`...)
	b = appendQuoted(b, []byte(l.service))
	if l.pid != 0 {
		b = strconv.AppendInt(append(b, `,"pid":`...), int64(l.pid), 10)
		b = strconv.AppendUint(append(b, `,"generation":`...), uint64(l.generation), 10)
	}
	b = append(b, `,"line":`...)
	return append(appendQuoted(b, text), "}\n"...)
}

const hex = "0123456789abcdef"

// appendQuoted is a JSON string (RFC 8259, section 7).
func appendQuoted(b, text []byte) []byte {
	b = append(b, '"')
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\t':
			b = append(b, `\t`...)
		case r < ' ' || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		case r == utf8.RuneError && size == 1:
			b = append(b, `\ufffd`...)
		default:
			b = append(b, text[:size]...)
		}
		text = text[size:]
	}
	return append(b, '"')
}

// clean adds text that moves no cursor. A carriage return at its end is left
// out.
func clean(b, text []byte) []byte {
	if n := len(text); n > 0 && text[n-1] == '\r' {
		text = text[:n-1]
	}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r != '\t' && unicode.IsControl(r) || r == utf8.RuneError && size == 1 {
			b = append(b, '?')
		} else {
			b = append(b, text[:size]...)
		}
		text = text[size:]
	}
	return b
}

// appendSyslog is a line as syslog(3) sends it (RFC 3164, section 4.1).
func appendSyslog(b []byte, facility int, l *label, at time.Time, text []byte) []byte {
	b = append(strconv.AppendInt(append(b, '<'), int64(facility<<3|severity), 10), '>')
	b = append(at.AppendFormat(b, time.Stamp), ' ')
	b = append(appendName(b, l), ": "...)
	return clean(b, text)
}

// appendJournal is a line in the journal's own protocol, see
// systemd.journal-fields(7).
func appendJournal(b []byte, facility int, l *label, _ time.Time, text []byte) []byte {
	b = append(clean(append(b, "MESSAGE="...), text), '\n')
	b = strconv.AppendInt(append(b, "PRIORITY="...), severity, 10)
	b = strconv.AppendInt(append(b, "\nSYSLOG_FACILITY="...), int64(facility), 10)
	b = append(append(b, "\nSYSLOG_IDENTIFIER="...), l.service...)
	b = append(append(b, "\nBROOD_SERVICE="...), l.service...)
	if l.pid != 0 {
		b = strconv.AppendInt(append(b, "\nSYSLOG_PID="...), int64(l.pid), 10)
		b = strconv.AppendInt(append(b, "\nBROOD_PID="...), int64(l.pid), 10)
		b = strconv.AppendUint(append(b, "\nBROOD_GENERATION="...), uint64(l.generation), 10)
	}
	return append(b, '\n')
}

// severity is informational (RFC 5424, section 6.2.1): what a worker writes
// carries no level.
const severity = 6

// facilities are syslog's numbers (RFC 5424, section 6.2.1).
var facilities = map[string]int{
	"user": 1, "mail": 2, "daemon": 3, "auth": 4, "news": 7, "cron": 9, "authpriv": 10,
	"local0": 16, "local1": 17, "local2": 18, "local3": 19,
	"local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

// format adds a line in the form of an Output.
func format(b []byte, to plan.Output, l *label, at time.Time, text []byte) []byte {
	switch {
	case to.To == plan.OutputSyslog:
		return appendSyslog(b, facilities[to.Facility], l, at, text)
	case to.To == plan.OutputJournal:
		return appendJournal(b, facilities[to.Facility], l, at, text)
	case to.JSON:
		return appendJSON(b, l, at, text)
	}
	return appendText(b, l, at, text)
}
