package master

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/brood-project/brood/internal/scoreboard"
)

// By is who asked for an operation; the log names it. The zero By is the
// daemon's own superuser, by a signal.
type By struct {
	UID, PID int
}

// Scale is what a live change of a pool's size sets; nil leaves a number as it
// is.
type Scale struct {
	Max, Min, Spare *int
}

// The kinds of error of an operation, for errors.Is. Everything else that stands
// in the way is plan.Diagnostics, or the end of the context.
var (
	// ErrUnknown: no service has that name.
	ErrUnknown = errors.New("unknown service")
	// ErrAmbiguous: several have it; the text names the choices.
	ErrAmbiguous = errors.New("ambiguous service")
	// ErrRefused: not now, or not with this service; the text says why.
	ErrRefused = errors.New("refused")
)

// opError is an error of one of the kinds above, in words of its own.
type opError struct {
	kind error
	text string
}

func (e *opError) Error() string { return e.text }

// Unwrap is the kind.
func (e *opError) Unwrap() error { return e.kind }

func refuse(kind error, format string, args ...any) error {
	return &opError{kind, fmt.Sprintf(format, args...)}
}

// Plan tells what a reload would do, and does nothing. With a service, only what
// is written of that one counts. An error of type plan.Diagnostics says why a
// reload would be refused.
func (m *Master) Plan(ctx context.Context, service string) (*scoreboard.Outcome, error) {
	return nil, refuse(ErrRefused, "cannot plan")
}

// Reload reads the configuration and puts it in force, as a HUP does, and tells
// what that did. With a service, only what is written of that one is put in
// force. After an error nothing has changed.
func (m *Master) Reload(ctx context.Context, by By, service string) (*scoreboard.Outcome, error) {
	return nil, refuse(ErrRefused, "cannot reload")
}

// Restart has all workers of a service be replaced, each when it is free.
func (m *Master) Restart(ctx context.Context, by By, service string) error {
	return refuse(ErrRefused, "cannot restart")
}

// Scale changes the size of a pool until the next reload.
func (m *Master) Scale(ctx context.Context, by By, service string, to Scale) error {
	return refuse(ErrRefused, "cannot scale")
}

// Pause holds back births until Resume; workers that live go on, and clients
// for whom there is none queue.
func (m *Master) Pause(ctx context.Context, by By, service string) error {
	return refuse(ErrRefused, "cannot pause")
}

// Resume ends what Pause or Drain began.
func (m *Master) Resume(ctx context.Context, by By, service string) error {
	return refuse(ErrRefused, "cannot resume")
}

// Wake wakes a service up as its own timer would.
func (m *Master) Wake(ctx context.Context, by By, service string) error {
	return refuse(ErrRefused, "cannot wake")
}

// Reset ends a throttle before its time, and has a service that gave up try
// again.
func (m *Master) Reset(ctx context.Context, by By, service string) error {
	return refuse(ErrRefused, "cannot reset")
}

// Drain has a service take no more clients and its workers finish those in hand,
// for patience at most (0: as the configuration has it); with no service, all of
// them, and the daemon then ends. Progress is told whenever something has
// changed, a few times a second at most; the last one is returned.
func (m *Master) Drain(ctx context.Context, by By, service string, patience time.Duration, tell func(scoreboard.Progress) error) (*scoreboard.Progress, error) {
	return nil, refuse(ErrRefused, "cannot drain")
}

// Stop ends the daemon as a TERM does; with now, as a second one.
func (m *Master) Stop(ctx context.Context, by By, now bool) error {
	return refuse(ErrRefused, "cannot stop")
}
