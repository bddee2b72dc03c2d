package examples

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
)

// open serves an example from a copy of its directory. What it is built from is
// built there.
func open(t *testing.T, example, built string, change func(toml string) string) *daemon {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	if built != "" {
		if err := build(example+"-"+built, "./"+example); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(bin, example+"-"+built), filepath.Join(dir, built)); err != nil {
			t.Fatal(err)
		}
	}
	toml, err := os.ReadFile(filepath.Join(dir, "brood.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if change == nil {
		return start(t, dir, string(toml))
	}
	return start(t, dir, change(string(toml)))
}

// client is one that keeps its connection.
type client struct {
	net.Conn
	answers *bufio.Reader
}

func (d *daemon) connect() *client {
	d.t.Helper()
	conn, err := net.Dial("tcp", d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(await.Patience))
	return &client{conn, bufio.NewReader(conn)}
}

// greeted says a name and returns who answered.
func (d *daemon) greeted(c *client) (worker string) {
	d.t.Helper()
	fmt.Fprintln(c, "ada")
	line, err := c.answers.ReadString('\n')
	return d.workerOf(line, err, "hello ada from ")
}

// workerOf is the last word of an answer: the worker that gave it.
func (d *daemon) workerOf(answer string, err error, want string) string {
	d.t.Helper()
	answer = strings.TrimSpace(answer)
	if err != nil || !strings.Contains(answer, want) {
		d.t.Errorf("a client got %q, %v; the log:\n%s", answer, err, d.said())
		return ""
	}
	return answer[strings.LastIndexByte(answer, ' ')+1:]
}

// onlyTold has brood look at the queue too seldom for it to matter, so that
// what it knows of its workers it was told.
func onlyTold(toml string) string {
	return strings.Replace(toml, "protocol = ", "wait = \"1h\"\nprotocol = ", 1)
}

// TestOneClientAtATime has the examples whose workers serve one client each: a
// second client brings a second worker, and a worker that is done is used again.
func TestOneClientAtATime(t *testing.T) {
	t.Parallel()
	for _, e := range []struct {
		name, built string
		change      func(string) string
	}{
		{name: "go", built: "hello", change: onlyTold},
		{name: "python", change: onlyTold},
		{name: "perl"},
		{name: "shell"},
	} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, e.name, e.built, e.change)
			ada, bob := d.connect(), d.connect()
			first, second := d.greeted(ada), d.greeted(bob)
			if first == second {
				t.Errorf("worker %s has two clients", first)
			}
			ada.Close()
			if e.name == "shell" {
				d.eventually("the worker has left with its client", func() bool { return !slices.Contains(d.workers(), first) })
			} else {
				d.eventually("a worker that is done is used again", func() bool {
					again := d.connect()
					defer again.Close()
					return d.greeted(again) == first
				})
			}
			bob.Close()
			d.counted(0)
		})
	}
}

// get asks an example that speaks HTTP.
func (d *daemon) get(ms int) (worker string) {
	d.t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	web := http.Client{Transport: transport, Timeout: await.Patience}
	response, err := web.Get(fmt.Sprintf("http://%s/?ms=%d", d.address, ms))
	if err != nil {
		d.t.Error(err)
		return ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Error(err)
		return ""
	}
	return string(text[strings.LastIndexByte(string(text), ' ')+1:])
}

// cgi asks the example in PHP, as a web server would.
func (d *daemon) cgi(ms int) (worker string) {
	d.t.Helper()
	cmd := exec.Command("cgi-fcgi", "-bind", "-connect", d.address)
	cmd.Env = []string{
		"REQUEST_METHOD=GET", fmt.Sprintf("QUERY_STRING=ms=%d", ms),
		"SCRIPT_FILENAME=" + filepath.Join(d.dir, "hello.php"),
	}
	out, err := cmd.CombinedOutput()
	return d.workerOf(string(out), err, "hello from PHP")
}

// TestBusyWorkers has the examples whose workers are asked for work that takes
// time: one that is free is used again, and while one works, another answers.
func TestBusyWorkers(t *testing.T) {
	t.Parallel()
	const work = 6000 // milliseconds, in which another worker can start
	for _, e := range []struct {
		name string
		ask  func(d *daemon, ms int) string
		// computes: its work takes processor time, and until that has begun it may
		// take a second client beside the first.
		computes bool
	}{
		{"node", (*daemon).get, true},
		{"php", (*daemon).cgi, false},
	} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, e.name, "", nil)
			first := e.ask(d, 0)
			d.eventually("a worker is used again", func() bool {
				before := first
				first = e.ask(d, 0)
				return first == before
			})
			used := d.cpu(first)
			worked := make(chan string, 1)
			go func() { worked <- e.ask(d, work) }()
			if e.computes {
				d.eventually("the work has begun", func() bool { return d.cpu(first) > used+5 })
			}
			var other string
			d.eventually("another worker answers", func() bool {
				other = e.ask(d, 0)
				return other != first
			})
			if len(worked) > 0 {
				t.Errorf("the work was done before worker %s answered", other)
			}
			<-worked
			d.counted(0)
		})
	}
}

// cpu is how long a worker has computed, in ticks; see proc_pid_stat(5).
func (d *daemon) cpu(worker string) (ticks int) {
	d.t.Helper()
	worker = strings.TrimSpace(worker)
	text, err := os.ReadFile(filepath.Join("/proc", worker, "stat"))
	if err != nil {
		d.t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if ticks, err = strconv.Atoi(fields[14-3]); err != nil {
		d.t.Fatal(err)
	}
	return ticks
}

// TestManyClientsAtOnce has the example that needs one worker only.
func TestManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t, "go-http", "web", nil)
	first := d.get(0)
	idle := d.connect() // keeps nobody from being served
	if second := d.get(0); second != first {
		t.Errorf("%s answered, then %s", first, second)
	}
	idle.Close()
	d.counted(0)
	if third := d.get(0); third == first {
		t.Errorf("%s answered after its end", third)
	}
}
