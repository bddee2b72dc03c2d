package operator

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/master"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// world is a master with one service, cat by inetd, and its control socket.
type world struct {
	t    *testing.T
	dir  string
	plan *plan.Plan
	fail error
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.plan = w.planOf(5)
	m, err := master.New(master.Options{
		First: w.plan, Log: slog.New(slog.DiscardHandler), Gentle: true,
		Reload: func() (*master.Proposal, error) { return &master.Proposal{Plan: w.plan}, w.fail },
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err := control.Listen(filepath.Join(w.dir, "control"), control.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server.Serve(New(m))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run()
		server.Close()
	}()
	t.Cleanup(func() {
		_ = m.Stop(context.Background(), master.By{}, true)
		<-ended
	})
	return w
}

func (w *world) planOf(limit int) *plan.Plan {
	return &plan.Plan{Services: []*plan.Service{{
		Name: "echo", Key: "the echo", Transport: plan.Unix, Protocol: plan.ProtocolInetd,
		Endpoints: []plan.Endpoint{{
			Network: plan.NetUnix, Path: filepath.Join(w.dir, "echo"), Mode: 0o600, UID: -1, GID: -1, Backlog: 5,
		}},
		Command: plan.Command{Path: "/bin/cat", Args: []string{"cat"}, Dir: "/"},
		Policy:  &pool.Policy{Limit: limit, Single: true, Stop: pool.Stopping{Timeout: 5 * pool.Second}},
		Wishes:  &plan.Wishes{SocketNames: []string{"echo"}, OnGiveUp: plan.GiveUpHold},
	}}}
}

func (w *world) dial() *control.Client {
	w.t.Helper()
	c, err := control.Dial(w.within(), filepath.Join(w.dir, "control"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

func (w *world) within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), await.Patience)
	w.t.Cleanup(cancel)
	return ctx
}

func TestEveryRequestIsAnswered(t *testing.T) {
	w := start(t)
	c := w.dial()
	three := 3
	for _, req := range []control.Request{
		{Do: control.VerbHello},
		{Do: control.VerbPicture, Workers: true, Memory: true},
		{Do: control.VerbRecorder, Service: "echo"},
		{Do: control.VerbEvents},
		{Do: control.VerbPlan},
		{Do: control.VerbReload},
		{Do: control.VerbReload, Service: "echo"},
		{Do: control.VerbRestart, Service: "echo"},
		{Do: control.VerbScale, Service: "echo", Max: &three},
		{Do: control.VerbPause, Service: "echo"},
		{Do: control.VerbResume},
		{Do: control.VerbWake, Service: "echo"},
		{Do: control.VerbReset},
		{Do: control.VerbDrain, Service: "echo"},
		{Do: control.VerbResume, Service: "echo"},
		{Do: control.VerbStop, Now: true},
	} {
		var answer json.RawMessage
		if err := c.Do(w.within(), req, &answer); err != nil {
			t.Errorf("%s: %v", req.Do, err)
		}
		if want := "scaled echo: max 3, until the next reload"; req.Do == control.VerbScale && !strings.Contains(string(answer), want) {
			t.Errorf("%s: %s", req.Do, answer)
		}
	}
}

func TestErrorsHaveTheirCodes(t *testing.T) {
	w := start(t)
	c := w.dial()
	many := 6
	w.fail = plan.Diagnostics{
		{Severity: plan.Error, Pos: plan.Pos{File: "brood.toml", Line: 3, Col: 5}, What: "no such thing", Instead: "write another"},
		{Severity: plan.Error, What: "nor this"},
	}
	for _, test := range []struct {
		req  control.Request
		code control.Code
		text string
	}{
		{control.Request{Do: control.VerbPause, Service: "nobody"}, control.UnknownService, `there is no service "nobody"; there are echo`},
		{control.Request{Do: control.VerbPicture, Service: "nobody"}, control.UnknownService, "nobody"},
		{control.Request{Do: control.VerbRecorder, Service: "nobody"}, control.UnknownService, "nobody"},
		{control.Request{Do: control.VerbScale, Service: "echo", Min: &many}, control.Refused, "min is 6"},
		{control.Request{Do: control.VerbReload}, control.Refused, "brood.toml:3:5: no such thing; write another (and 1 more)"},
	} {
		var got *control.Error
		err := c.Do(w.within(), test.req, nil)
		if !errors.As(err, &got) || got.Code != test.code || !strings.Contains(got.Text, test.text) {
			t.Errorf("%s: %+v; want %s, %s", test.req.Do, err, test.code, test.text)
			continue
		}
		if test.req.Do == control.VerbReload && (len(got.Diagnostics) != 2 || got.Diagnostics[0].Line != 3 || !got.Diagnostics[0].Error) {
			t.Errorf("%+v", got.Diagnostics)
		}
	}
}

// TestEventsFollow has somebody follow while another operates and a client comes.
func TestEventsFollow(t *testing.T) {
	w := start(t)
	follower := w.dial()
	kinds := make(chan string, 100)
	ctx, cancel := context.WithCancel(w.within())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = follower.Stream(ctx, control.Request{Do: control.VerbEvents, Follow: true, Service: "echo"}, func(raw json.RawMessage) error {
			var ev scoreboard.Event
			err := json.Unmarshal(raw, &ev)
			kinds <- ev.Kind
			return err
		})
	}()
	if err := w.dial().Do(w.within(), control.Request{Do: control.VerbPause, Service: "echo"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.dial().Do(w.within(), control.Request{Do: control.VerbResume, Service: "echo"}, nil); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", filepath.Join(w.dir, "echo"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, want := range []string{"paused", "resumed", "born"} {
		select {
		case got := <-kinds:
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
		case <-time.After(await.Patience):
			t.Fatalf("no event %q", want)
		}
	}
	cancel()
	<-ended
}

// TestEventsOfOneService are told by each of its names.
func TestEventsOfOneService(t *testing.T) {
	w := start(t)
	if err := w.dial().Do(w.within(), control.Request{Do: control.VerbPause, Service: "echo/unix"}, nil); err != nil {
		t.Fatal(err)
	}
	for service, want := range map[string]int{"": 1, "echo": 1, "echo/unix": 1, "the echo": 1, "echo/inet": 0, "ech": 0} {
		got := 0
		_, err := w.dial().Stream(w.within(), control.Request{Do: control.VerbEvents, Service: service}, func(json.RawMessage) error {
			got++
			return nil
		})
		if err != nil || got != want {
			t.Errorf("%q has %d events, %v; want %d", service, got, err, want)
		}
	}
}

// TestALoopThatHasEndedIsUnavailable to whoever asks then.
func TestALoopThatHasEndedIsUnavailable(t *testing.T) {
	var e *control.Error
	if err := coded(master.ErrOver); !errors.As(err, &e) || e.Code != control.Unavailable {
		t.Errorf("%+v", err)
	}
}

func TestRefusalsAreForOperators(t *testing.T) {
	secret := scoreboard.Event{Kind: "refused", Text: "a reload was refused: brood.toml:3: key = secret"}
	if ev := shown(secret, control.Read); strings.Contains(ev.Text, "secret") {
		t.Error("a reader sees", ev.Text)
	}
	if ev := shown(secret, control.Operate); ev != secret {
		t.Error("an operator sees", ev.Text)
	}
	born := scoreboard.Event{Kind: "born", Text: "worker 5 was born", PID: int32(syscall.Getpid())}
	if ev := shown(born, control.Read); ev != born {
		t.Error("a reader sees", ev.Text)
	}
}

// TestRestartPromisesNoMoreThanItKeeps: of a worker that does not tell, nobody
// knows when it is free.
func TestRestartPromisesNoMoreThanItKeeps(t *testing.T) {
	w := start(t)
	var done control.Done
	if err := w.dial().Do(w.within(), control.Request{Do: control.VerbRestart, Service: "echo"}, &done); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(done.Text, "one that does not tell is asked to end at once") {
		t.Errorf("%q", done.Text)
	}
}
