package maillog

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Stderr writes "tag: text" in Postfix's wording, for a person at a terminal.
type Stderr struct {
	mu  sync.Mutex
	w   io.Writer
	tag string
}

// NewStderr is such a handler; the tag is as for NewSyslog.
func NewStderr(w io.Writer, tag string) *Stderr { return &Stderr{w: w, tag: tag} }

// Enabled lets everything through.
func (s *Stderr) Enabled(context.Context, slog.Level) bool { return true }

// Handle writes one line.
func (s *Stderr) Handle(_ context.Context, r slog.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := appendText([]byte(s.tag+": "), r.Level, r.Message)
	_, err := s.w.Write(append(line, '\n'))
	return err
}

// WithAttrs is the same handler: the text is final.
func (s *Stderr) WithAttrs([]slog.Attr) slog.Handler { return s }

// WithGroup is the same handler.
func (s *Stderr) WithGroup(string) slog.Handler { return s }

// Text writes "TIME LEVEL message key=value …" for people.
type Text struct {
	// out is shared by the handlers that WithAttrs makes.
	out *textOutput
	// attrs are the pairs that WithAttrs gave, written out; group is the
	// prefix of the keys that come.
	attrs, group string
}

type textOutput struct {
	mu sync.Mutex
	w  io.Writer
}

// NewText is a handler that writes to w.
func NewText(w io.Writer) *Text { return &Text{out: &textOutput{w: w}} }

// Enabled lets everything through.
func (h *Text) Enabled(context.Context, slog.Level) bool { return true }

// Handle writes one line in one call.
func (h *Text) Handle(_ context.Context, r slog.Record) error {
	var b []byte
	if !r.Time.IsZero() {
		b = append(r.Time.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00"), ' ')
	}
	b = append(b, levelName(r.Level)...)
	b = append(b, strings.Repeat(" ", max(1, 6-len(levelName(r.Level))))...)
	b = appendPrintable(b, r.Message)
	b = append(b, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		b = appendAttr(b, h.group, a)
		return true
	})
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	_, err := h.out.w.Write(append(b, '\n'))
	return err
}

// WithAttrs adds pairs to every line.
func (h *Text) WithAttrs(attrs []slog.Attr) slog.Handler {
	b := []byte(h.attrs)
	for _, a := range attrs {
		b = appendAttr(b, h.group, a)
	}
	return &Text{out: h.out, attrs: string(b), group: h.group}
}

// WithGroup puts a name in front of the keys that come.
func (h *Text) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &Text{out: h.out, attrs: h.attrs, group: h.group + name + "."}
}

func appendAttr(b []byte, group string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return b
	}
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			b = appendAttr(b, group, inner)
		}
		return b
	}
	b = append(b, ' ')
	b = appendPrintable(b, group+a.Key)
	b = append(b, '=')
	s := v.String()
	if v.Kind() == slog.KindTime {
		s = v.Time().Format(time.RFC3339Nano)
	}
	if s == "" || strings.ContainsFunc(s, needsQuotes) {
		return strconv.AppendQuote(b, s)
	}
	return append(b, s...)
}

func needsQuotes(r rune) bool {
	return r == '"' || r == '=' || r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r)
}

// NewJSON is a handler that writes one JSON object a line, with the names of
// our own levels.
func NewJSON(w io.Writer) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level: slog.Level(-100),
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if l, ok := a.Value.Any().(slog.Level); ok && len(groups) == 0 && a.Key == slog.LevelKey {
				a.Value = slog.StringValue(levelName(l))
			}
			return a
		},
	})
}
