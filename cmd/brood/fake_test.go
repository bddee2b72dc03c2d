package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/scoreboard"
)

// answers is a daemon that answers from files: VERB.json holds the lines of the
// answer, each a JSON value, and VERB.error the error. The files are read anew
// for each request, so that a script can change what is so. What was asked is
// appended to the file requests.
type answers struct {
	dir string
	mu  sync.Mutex
}

// fake starts such a daemon: fake SOCKET DIRECTORY.
func fake(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fake SOCKET DIRECTORY")
	}
	// The path of a socket has little room; the script's directory may be deep.
	server, err := control.Listen(ts.MkAbs(args[0]), control.Options{Brood: "v0.0.0-test"})
	ts.Check(err)
	go server.Serve(&answers{dir: ts.MkAbs(args[1])})
	ts.Defer(func() { server.Close() })
}

func (a *answers) Handle(ctx context.Context, _ control.Peer, req *control.Request, send func(any) error) (any, error) {
	if err := a.note(*req); err != nil {
		return nil, err
	}
	refused := &control.Error{}
	switch b, err := os.ReadFile(filepath.Join(a.dir, string(req.Do)+".error")); {
	case err == nil:
		if err := json.Unmarshal(b, refused); err != nil {
			return nil, err
		}
		return nil, refused
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(a.dir, string(req.Do)+".json"))
	if err != nil {
		return nil, err
	}
	if req.Do == control.VerbPicture {
		return drawn(b, req.Service)
	}
	var lines []json.RawMessage
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); {
		var line json.RawMessage
		if err := d.Decode(&line); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return play(ctx, req, lines, send)
}

// play sends all lines but the last as what comes before the end. Events all
// come before it.
func play(ctx context.Context, req *control.Request, lines []json.RawMessage, send func(any) error) (any, error) {
	last := any(nil)
	if req.Do != control.VerbEvents && len(lines) > 0 {
		last, lines = lines[len(lines)-1], lines[:len(lines)-1]
	}
	for _, line := range lines {
		if err := send(line); err != nil {
			return nil, err
		}
	}
	if req.Follow {
		<-ctx.Done()
	}
	return last, nil
}

// drawn is a picture, of one service or of all.
func drawn(b []byte, service string) (any, error) {
	p := &scoreboard.Picture{}
	if err := json.Unmarshal(b, p); err != nil {
		return nil, err
	}
	if service == "" {
		return p, nil
	}
	found := p.Find(service)
	if found == nil {
		return nil, &control.Error{Code: control.UnknownService, Text: "there is no service \"" + service + "\""}
	}
	var only []scoreboard.Service
	for _, s := range found {
		only = append(only, *s)
	}
	p.Services = only
	return p, nil
}

// note writes down what was asked, without what differs from run to run.
func (a *answers) note(req control.Request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	req.V, req.ID = 0, 0
	b, err := json.Marshal(req)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(a.dir, "requests"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(append(b, '\n'))
	return err
}
