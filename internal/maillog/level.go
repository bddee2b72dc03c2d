package maillog

import (
	"log/slog"
	"unicode"
	"unicode/utf8"
)

// The levels of Postfix's log, as slog's. Verbose is what -v adds; Postfix
// writes it without a word in front, as Info.
const (
	Verbose = slog.LevelDebug
	Info    = slog.LevelInfo
	Warning = slog.LevelWarn
	Error   = slog.LevelError
	Fatal   = slog.Level(12)
	Panic   = slog.Level(16)
)

// textMax is how many bytes of a message are logged, the word for its level
// not counted; Postfix cuts at the same length.
const textMax = 2000

// prefix is the word that Postfix writes in front of a message.
func prefix(l slog.Level) string {
	switch {
	case l >= Panic:
		return "panic: "
	case l >= Fatal:
		return "fatal: "
	case l >= Error:
		return "error: "
	case l >= Warning:
		return "warning: "
	default:
		return ""
	}
}

// severity is the same in syslog's numbers (RFC 5424, section 6.2.1).
func severity(l slog.Level) int {
	switch {
	case l >= Fatal:
		return 2 // critical
	case l >= Error:
		return 3 // error
	case l >= Warning:
		return 4 // warning
	default:
		return 6 // informational
	}
}

// levelName is the level in the native formats.
func levelName(l slog.Level) string {
	switch {
	case l >= Panic:
		return "PANIC"
	case l >= Fatal:
		return "FATAL"
	default:
		return l.String()
	}
}

// appendText adds a message as Postfix would write it: cut, and harmless.
func appendText(b []byte, l slog.Level, text string) []byte {
	b = append(b, prefix(l)...)
	if len(text) > textMax {
		text = text[:textMax]
	}
	return appendPrintable(b, text)
}

// appendPrintable replaces control characters and what is not UTF-8 by "?".
func appendPrintable(b []byte, text string) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if unicode.IsControl(r) || r == utf8.RuneError && size == 1 {
			b = append(b, '?')
		} else {
			b = append(b, text[:size]...)
		}
		text = text[size:]
	}
	return b
}
