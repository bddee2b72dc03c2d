// Package operator answers what operators ask on the control socket, from what a
// running master knows and can do. It is the one place where the verbs of
// internal/control meet the operations of internal/master.
//
// It decides nothing: who may ask what is the table of internal/control, what an
// operation means is internal/master's. It keeps no state, and any number of
// requests may be answered at the same time.
//
// Errors of the master come out with a code for programs. Those of a
// configuration have their places in the files, line by line.
package operator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/master"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/scoreboard"
)

// Operator answers for one master.
type Operator struct{ m *master.Master }

// New is the operator of a master, whose loop need not run yet: requests wait.
func New(m *master.Master) *Operator { return &Operator{m} }

// Handle carries a request out; see control.Handler.
func (o *Operator) Handle(ctx context.Context, who control.Peer, req *control.Request, send func(v any) error) (any, error) {
	answer, err := o.handle(ctx, who, req, send)
	if err != nil {
		return nil, coded(err)
	}
	return answer, nil
}

func (o *Operator) handle(ctx context.Context, who control.Peer, req *control.Request, send func(v any) error) (any, error) {
	by := master.By{UID: int(who.UID), PID: int(who.PID)}
	switch req.Do {
	case control.VerbPicture:
		return o.picture(ctx, req)
	case control.VerbRecorder:
		return o.m.Recorder(ctx, req.Service)
	case control.VerbEvents:
		return nil, o.events(ctx, who, req, send)
	case control.VerbPlan:
		return o.m.Plan(ctx, req.Service)
	case control.VerbReload:
		return o.m.Reload(ctx, by, req.Service)
	case control.VerbDrain:
		return o.m.Drain(ctx, by, req.Service, time.Duration(req.Deadline), func(p scoreboard.Progress) error { return send(p) })
	case control.VerbRestart:
		return done(o.m.Restart(ctx, by, req.Service), of(req)+" replaced, each worker once it is free; one that does not tell is asked to end at once")
	case control.VerbScale:
		to := master.Scale{Max: req.Max, Min: req.Min, Spare: req.Spare}
		return done(o.m.Scale(ctx, by, req.Service, to), "scaled "+req.Service+": "+size(to)+", until the next reload")
	case control.VerbPause:
		return done(o.m.Pause(ctx, by, req.Service), of(req)+" paused: no births, until it is resumed")
	case control.VerbResume:
		return done(o.m.Resume(ctx, by, req.Service), of(req)+" resumed")
	case control.VerbWake:
		return done(o.m.Wake(ctx, by, req.Service), of(req)+" woken")
	case control.VerbReset:
		return done(o.m.Reset(ctx, by, req.Service), of(req)+" reset: births are tried now")
	case control.VerbStop:
		return done(o.m.Stop(ctx, by, req.Now), "stopping")
	case control.VerbHello:
		// Answered by the server.
	}
	return nil, &control.Error{Code: control.UnknownRequest, Text: fmt.Sprintf("there is no request %q", req.Do)}
}

// picture draws one. A service that does not exist is an error of its own, for the
// master draws nothing then.
func (o *Operator) picture(ctx context.Context, req *control.Request) (any, error) {
	return o.m.Picture(ctx, master.PictureOptions{Service: req.Service, Workers: req.Workers, Memory: req.Memory})
}

// events tells what has happened, and goes on with what happens where that is
// asked for.
func (o *Operator) events(ctx context.Context, who control.Peer, req *control.Request, send func(v any) error) error {
	notify, cancel := o.m.Subscribe()
	defer cancel()
	for since := req.Since; ; {
		all, last, err := o.m.Events(ctx, since, req.Service)
		if err != nil {
			return err
		}
		for _, ev := range all {
			if err := send(shown(ev, who.Role)); err != nil {
				return err
			}
		}
		since = last
		if !req.Follow {
			return nil
		}
		select {
		case <-notify:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// shown is an event as a role may read it: why a reload was refused may quote a
// file that only operators can read.
func shown(ev scoreboard.Event, role control.Role) scoreboard.Event {
	if ev.Kind == "refused" && role < control.Operate {
		ev.Text = "a reload was refused, nothing has changed (why is for operators only)"
	}
	return ev
}

func of(req *control.Request) string {
	if req.Service == "" {
		return "all services"
	}
	return req.Service
}

// size is what a scale sets.
func size(to master.Scale) string {
	var parts []string
	for _, n := range []struct {
		name string
		to   *int
	}{{"max", to.Max}, {"min", to.Min}, {"spare", to.Spare}} {
		if n.to != nil {
			parts = append(parts, fmt.Sprintf("%s %d", n.name, *n.to))
		}
	}
	return strings.Join(parts, ", ")
}

func done(err error, text string) (any, error) {
	if err != nil {
		return nil, err
	}
	return control.Done{Text: text}, nil
}

// coded gives an error of the master its code.
func coded(err error) error {
	var own *control.Error
	var ds plan.Diagnostics
	e := &control.Error{Code: control.Failed, Text: err.Error()}
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &ds):
		e.Code, e.Diagnostics = control.Refused, master.DiagnosticsOf(err)
		e.Text = "refused, nothing has changed: " + ds[0].String()
		if n := len(ds) - 1; n > 0 {
			e.Text += fmt.Sprintf(" (and %d more)", n)
		}
	case errors.Is(err, master.ErrUnknown), errors.Is(err, master.ErrAmbiguous):
		e.Code = control.UnknownService
	case errors.Is(err, master.ErrRefused):
		e.Code = control.Refused
	case errors.Is(err, master.ErrOver), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Code, e.Text = control.Unavailable, "brood is being stopped, or nobody waits for the answer"
	}
	return e
}
