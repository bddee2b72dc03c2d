package postfix

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/ports"
)

// flood is a run of smtp-source in the background.
type flood struct {
	in   *instance
	cmd  *exec.Cmd
	out  *os.File
	over chan error
}

// flood begins to send messages, so many sessions at a time, one message a
// connection. Each recipient gets a number in front, so that no message is like
// another.
func (in *instance) flood(to string, messages, sessions int, more ...string) *flood {
	in.Helper()
	out, err := os.CreateTemp(in.dir, ".smtp-source-")
	must(in, err)
	args := append([]string{
		"-s", strconv.Itoa(sessions), "-m", strconv.Itoa(messages), "-N",
		"-l", "2000", "-f", "load@brood.test", "-t", to,
	}, more...)
	f := &flood{in: in, out: out, over: make(chan error, 1)}
	f.cmd = in.command(context.Background(), "smtp-source", append(args, address(in.smtp))...)
	f.cmd.Stdout, f.cmd.Stderr = out, out
	must(in, f.cmd.Start())
	go func() { f.over <- f.cmd.Wait() }()
	return f
}

// wait waits until all is sent; smtp-source ends badly when the server says or
// does anything but accept.
func (f *flood) wait() {
	f.in.Helper()
	defer f.out.Close()
	if err := <-f.over; err != nil {
		said, _ := os.ReadFile(f.out.Name())
		f.in.Errorf("smtp-source: %v\n%s", err, said)
	}
}

// sink is smtp-sink, which takes all mail and writes each message to a file.
type sink struct {
	in   *instance
	dir  string
	port int
	stop func()
}

// newSink makes a sink that does not listen yet.
func (in *instance) newSink() *sink {
	in.Helper()
	dir, err := os.MkdirTemp(in.dir, "sink-")
	must(in, err)
	must(in, os.Chown(dir, nobody, nobody))
	return &sink{in: in, dir: dir, port: ports.Free(in)}
}

// start starts smtp-sink; it ends with the test at the latest.
func (s *sink) start(options ...string) *sink {
	s.in.Helper()
	args := append(slices.Clone(options), "-u", "nobody", "-d", s.dir+"/m.", address(s.port), "100")
	cmd := s.in.command(context.Background(), "smtp-sink", args...)
	must(s.in, cmd.Start())
	over := make(chan struct{})
	go func() { _ = cmd.Wait(); close(over) }()
	s.stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-over
	}
	s.in.Cleanup(s.stop)
	await.That(s.in, "smtp-sink to listen", func() bool { return listening(address(s.port)) })
	return s
}

// listening tells whether somebody listens at an address, busy or not: only a
// connection that is refused says that nobody does.
func listening(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return !errors.Is(err, syscall.ECONNREFUSED)
	}
	_ = c.Close()
	return true
}

// nexthop is the sink as a transport map names it.
func (s *sink) nexthop(service string) string {
	return fmt.Sprintf("%s:[127.0.0.1]:%d", service, s.port)
}

// messages are the files that the sink has written so far.
func (s *sink) messages() []string { return glob(s.in.T, s.dir+"/m.*") }

// delivered are the messages in a maildir of virtual(8).
func (in *instance) delivered(box string) []string {
	in.Helper()
	return glob(in.T, in.mail+"/"+box+"/new/*")
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	must(t, err)
	return names
}

// exactlyOnce waits until so many messages have arrived and the queue is empty,
// and asserts that there are neither more nor two for one recipient.
func (in *instance) exactlyOnce(want int, arrived func() []string) {
	in.Helper()
	await.That(in, fmt.Sprint(want, " messages to arrive"), func() bool { return len(arrived()) >= want })
	await.That(in, "the queue to be empty", in.queueIsEmpty)
	files := arrived()
	seen := in.byRecipient(files)
	if len(files) != want || len(seen) != want {
		in.Errorf("%d files with %d messages arrived, not %d", len(files), len(seen), want)
	}
}

// byRecipient says which file holds the message to a recipient, and asserts
// that there is only one. Our loads give each message a recipient of its own.
func (in *instance) byRecipient(files []string) map[string]string {
	in.Helper()
	seen := map[string]string{}
	for _, file := range files {
		recipient := recipientOf(in.T, file)
		if other, twice := seen[recipient]; twice {
			in.Errorf("the message to %s arrived twice: %s and %s", recipient, other, file)
		}
		seen[recipient] = file
	}
	return seen
}

// recipientOf reads the envelope's recipient from what virtual(8) or smtp-sink
// has put in front of a message.
func recipientOf(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() && lines.Text() != "" {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		if name == "X-Original-To" || name == "X-Rcpt-Args" {
			recipient, _, _ := strings.Cut(strings.TrimPrefix(value, "<"), ">")
			return recipient
		}
	}
	t.Fatalf("%s does not name its recipient", file)
	return ""
}

// queued are the queue files of some queues, whose directories may be nested.
func (in *instance) queued(queues ...string) []string {
	in.Helper()
	var files []string
	for _, queue := range queues {
		err := filepath.WalkDir(in.queue+"/"+queue, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				files = append(files, path)
			}
			return nil // what has gone in the meantime is delivered
		})
		must(in, err)
	}
	return files
}

// hurried waits until the queue is empty, and has qmgr look around every second
// meanwhile. When daemons were replaced, the word of a new message or of a
// finished delivery may have gone to the grave with one of them, and by itself
// their successor would only see to the message minutes later. The request is
// to look at all incoming messages, also at those that have been put off.
func (in *instance) hurried() {
	in.Helper()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	await.That(in, "the queue to be empty", func() bool {
		select {
		case <-tick.C:
			_, _ = in.try("postkick", "-c", in.conf, "public", "qmgr", "AI")
		default:
		}
		return in.queueIsEmpty()
	})
}

func (in *instance) queueIsEmpty() bool {
	return len(in.queued("maildrop", "incoming", "active", "deferred")) == 0
}

// dialog is an SMTP client that goes step by step.
type dialog struct {
	t   *testing.T
	raw net.Conn
	*textproto.Conn
}

// dial opens a session and reads the greeting.
func dial(t *testing.T, addr string) *dialog {
	t.Helper()
	d := dialFrom(t, "127.0.0.1", addr)
	d.expect(220)
	return d
}

// expect reads a reply, which must have this code.
func (d *dialog) expect(code int) string {
	d.t.Helper()
	_, text, err := d.ReadResponse(code)
	if err != nil {
		d.t.Fatalf("the server's reply: %v", err)
	}
	return text
}

// say sends a command whose reply must have this code.
func (d *dialog) say(code int, format string, args ...any) string {
	d.t.Helper()
	must(d.t, d.PrintfLine(format, args...))
	return d.expect(code)
}
