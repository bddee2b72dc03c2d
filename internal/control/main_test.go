package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/scoreboard"
)

// noLinger has a child under the race detector end at once.
const noLinger = "GORACE=atexit_sleep_ms=0"

// parts are what the test binary does when it is started by a test of its own.
var parts = map[string]func(args []string) int{}

// TestMain has the test binary play its part, or run the tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if part, ok := parts[os.Args[1]]; ok {
			os.Exit(part(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

// play has the test binary play a part in a process of its own, which is talked
// with by pipes. It ends with its standard input.
func play(t *testing.T, part ...string) (cmd *exec.Cmd, stdin io.WriteCloser, answers *bufio.Reader) {
	t.Helper()
	cmd = exec.Command(os.Args[0], part...)
	cmd.Env = append(os.Environ(), noLinger)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, stdin, bufio.NewReader(stdout)
}

// needsRoot leaves a test out of the short run; what remains needs root.
func needsRoot(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs root, and -short does without")
	}
	if os.Getuid() != 0 {
		t.Fatal("needs root; -short leaves it out")
	}
}

// openDirectory is a directory that every user may enter.
func openDirectory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "control")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// handler answers as a brood would, and can be told to do otherwise.
type handler struct {
	// do replaces the answer to a request.
	do map[Verb]answering
	// saw is told who asks.
	saw func(who Peer)
}

type answering func(ctx context.Context, req *Request, send func(any) error) (any, error)

// secret is what nobody below an operator may see.
const secret = "geheim-7261"

func testPicture() *scoreboard.Picture {
	return &scoreboard.Picture{
		Mode: "native", Version: "1", Source: "/etc/brood.toml", PID: 17, At: 1e18,
		Reload: &scoreboard.Reload{At: 5, Refused: []string{"brood.toml:5:1: " + secret}},
		Services: []scoreboard.Service{{
			Name: "web", Key: "web", Command: []string{"/usr/bin/web", "--password", secret}, Limit: 3, Busy: 1,
			Failure: &scoreboard.Death{PID: 5, Exit: 1, Words: []string{secret}},
			Death:   &scoreboard.Death{PID: 6, Place: secret, Words: []string{"a", secret}},
			Workers: []scoreboard.Worker{{PID: 7, State: "busy", Status: secret}, {PID: 8, State: "idle"}},
		}},
	}
}

func (h *handler) Handle(ctx context.Context, who Peer, req *Request, send func(any) error) (any, error) {
	if h.saw != nil {
		h.saw(who)
	}
	if do := h.do[req.Do]; do != nil {
		return do(ctx, req, send)
	}
	switch req.Do {
	case VerbPicture:
		return testPicture(), nil
	case VerbEvents:
		for seq := req.Since + 1; seq <= 3; seq++ {
			if err := send(scoreboard.Event{Seq: seq, Kind: "born", Text: "a <worker> & more"}); err != nil {
				return nil, err
			}
		}
		if req.Follow {
			<-ctx.Done()
		}
		return nil, nil
	case VerbReload:
		return nil, &Error{Refused, "the file has a mistake; nothing was changed", []scoreboard.Diagnostic{{File: "f", Line: 3, Error: true, Text: "f:3: no"}}}
	case VerbRestart:
		return nil, errors.New("cannot restart: just so")
	case VerbReset:
		panic("on purpose")
	case VerbPlan:
		return func() {}, nil // has no form in JSON
	}
	return Done{Text: string(req.Do) + " of " + req.Service}, nil
}

// serve starts a server in a directory of its own. change may shorten its times.
func serve(t *testing.T, opts Options, h Handler, change ...func(*Server)) (path string) {
	t.Helper()
	path = filepath.Join(openDirectory(t), "control")
	start(t, path, opts, h, change...)
	return path
}

// start starts a server, and holds it to leaving nothing behind.
func start(t *testing.T, path string, opts Options, h Handler, change ...func(*Server)) *Server {
	t.Helper()
	goroutines, descriptors := runtime.NumGoroutine(), countDescriptors()
	s, err := Listen(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(s)
	}
	s.Serve(h)
	t.Cleanup(func() {
		s.Close()
		eventually(t, "everything is as before", func() bool {
			return runtime.NumGoroutine() <= goroutines && countDescriptors() <= descriptors
		})
	})
	return s
}

// countDescriptors counts the sockets of this process and what its reserve is;
// the test's own files do not matter.
func countDescriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	n := 0
	for _, e := range entries {
		at, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && (strings.HasPrefix(at, "socket:") || at == "/") {
			n++
		}
	}
	return n
}

// eventually is await.That, with what the process has and does as the evidence.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	await.That(t, what, ok, func() string {
		buf := make([]byte, 1<<16)
		return fmt.Sprintf("%d goroutines, %d sockets\n%s", runtime.NumGoroutine(), countDescriptors(), buf[:runtime.Stack(buf, true)])
	})
}

// client connects, and hangs up at the end of the test.
func client(t *testing.T, path string) *Client {
	t.Helper()
	c, err := Dial(within(t, await.Patience), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// codeOf is the code that the server refused with.
func codeOf(err error) Code {
	var wire *Error
	if errors.As(err, &wire) {
		return wire.Code
	}
	return ""
}
