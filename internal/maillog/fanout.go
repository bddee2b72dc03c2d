package maillog

import (
	"context"
	"errors"
	"log/slog"
)

// Leveled lets records from a level on through; the level may change while the
// handler is used (slog.LevelVar), as -v and an operator do.
type Leveled struct {
	level slog.Leveler
	next  slog.Handler
}

// NewLeveled puts a level before a handler.
func NewLeveled(level slog.Leveler, next slog.Handler) *Leveled {
	return &Leveled{level: level, next: next}
}

// Enabled tells whether records of the level get through.
func (h *Leveled) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level.Level() && h.next.Enabled(ctx, l)
}

// Handle passes the record on.
func (h *Leveled) Handle(ctx context.Context, r slog.Record) error { return h.next.Handle(ctx, r) }

// WithAttrs keeps the level.
func (h *Leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Leveled{level: h.level, next: h.next.WithAttrs(attrs)}
}

// WithGroup keeps the level.
func (h *Leveled) WithGroup(name string) slog.Handler {
	return &Leveled{level: h.level, next: h.next.WithGroup(name)}
}

// fanout gives every record to several handlers.
type fanout []slog.Handler

// Fanout is a handler that gives every record to all of hs. One that fails
// keeps nothing from the others.
func Fanout(hs ...slog.Handler) slog.Handler { return fanout(hs) }

func (f fanout) Enabled(ctx context.Context, l slog.Level) bool {
	for _, h := range f {
		if h.Enabled(ctx, l) {
			return true
		}
	}
	return false
}

func (f fanout) Handle(ctx context.Context, r slog.Record) error {
	var errs []error
	for _, h := range f {
		if h.Enabled(ctx, r.Level) {
			errs = append(errs, h.Handle(ctx, r.Clone()))
		}
	}
	return errors.Join(errs...)
}

func (f fanout) WithAttrs(attrs []slog.Attr) slog.Handler {
	return f.each(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

func (f fanout) WithGroup(name string) slog.Handler {
	return f.each(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (f fanout) each(change func(slog.Handler) slog.Handler) slog.Handler {
	out := make(fanout, len(f))
	for i, h := range f {
		out[i] = change(h)
	}
	return out
}
