package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/brood-project/brood/internal/maillog"
	"github.com/brood-project/brood/internal/output"
	"github.com/brood-project/brood/internal/plan"
)

// tag is what this program calls itself in the system's log.
const tag = "brood"

// ownLog is the daemon's own log. Its destination follows [brood] of brood.toml,
// also when that changes on reload. Where workers write to the same place, its
// lines and theirs stay in order.
type ownLog struct {
	output *output.Collector
	to     plan.Output
	now    atomic.Pointer[slog.Handler]
	// place is where now writes, for those who are not the loop.
	place atomic.Value
}

func newOwnLog(c *output.Collector, to plan.Output) *ownLog {
	l := &ownLog{output: c, to: to}
	l.use(to)
	return l
}

// follow changes the destination. BEFORE: called by one goroutine at a time.
func (l *ownLog) follow(to plan.Output) {
	if to != l.to {
		l.to = to
		l.use(to)
	}
}

func (l *ownLog) use(to plan.Output) {
	var next slog.Handler
	switch {
	case to.To == plan.OutputSyslog || to.To == plan.OutputJournal:
		facility, ok := maillog.FacilityByName(to.Facility)
		if !ok {
			facility = maillog.Daemon
		}
		next = maillog.NewSyslog(maillog.SyslogPath, facility, tag)
	case to.JSON:
		next = maillog.NewJSON(l.output.Writer(to))
	default:
		next = messages{maillog.NewText(l.output.Writer(to))}
	}
	next = maillog.NewLeveled(slog.LevelInfo, next)
	l.place.Store(to.To)
	l.now.Store(&next)
}

// outputFailed says that lines cannot be written to a place. Where that is our
// own log, the standard error is what is left.
func (l *ownLog) outputFailed(to string, err error) {
	text := "cannot write log lines to " + to + ": " + err.Error() + "; they are lost, and counted"
	if to != l.place.Load() {
		slog.New(l).Error(text)
		return
	}
	if to != plan.OutputStderr {
		fmt.Fprintln(os.Stderr, "broodd:", text)
	}
}

// elsewhere tells whether lines go to another place than the standard error.
func (l *ownLog) elsewhere() bool { return l.to.To != plan.OutputStderr }

func (l *ownLog) warn(text string) { slog.New(l).Warn(text) }

func (l *ownLog) info(text string) { slog.New(l).Info(text) }

func (l *ownLog) fatal(text string) {
	slog.New(l).Log(context.Background(), maillog.Fatal, text)
}

// Enabled tells whether a level is logged.
func (l *ownLog) Enabled(ctx context.Context, level slog.Level) bool {
	return (*l.now.Load()).Enabled(ctx, level)
}

// Handle hands a line on.
func (l *ownLog) Handle(ctx context.Context, r slog.Record) error {
	return (*l.now.Load()).Handle(ctx, r)
}

// WithAttrs is a handler whose destination stays that of today.
func (l *ownLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return (*l.now.Load()).WithAttrs(attrs)
}

// WithGroup is the same for a group.
func (l *ownLog) WithGroup(name string) slog.Handler { return (*l.now.Load()).WithGroup(name) }

// messages leaves attributes out: the text of a line names its service already.
type messages struct{ slog.Handler }

// Handle writes the message alone.
func (h messages) Handle(ctx context.Context, r slog.Record) error {
	return h.Handler.Handle(ctx, slog.NewRecord(r.Time, r.Level, r.Message, r.PC))
}

// WithAttrs is the same handler.
func (h messages) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup is the same handler.
func (h messages) WithGroup(string) slog.Handler { return h }
