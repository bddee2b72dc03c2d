package native

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// read is the text of one of testdata/programs.
func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "programs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// say sends one line to a service and returns who answered, and after how long.
func (d *daemon) say(port int, line string) (pid int, took time.Duration) {
	began := time.Now()
	c, err := dial(port)
	if err != nil {
		d.t.Error(err)
		return 0, 0
	}
	defer c.Close()
	fmt.Fprintln(c, line)
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		d.t.Errorf("%q is not answered: %v", line, err)
	}
	pid, _ = strconv.Atoi(strings.TrimSpace(answer))
	return pid, time.Since(began)
}

// TestQueueDecides has workers that say nothing. Clients that wait for less than
// the limit are no reason for another worker; one that waits for longer is.
func TestQueueDecides(t *testing.T) {
	t.Parallel()
	const limit = time.Second
	n := port(t)
	d := start(t, fmt.Sprintf(`
[service.mute]
listen = ["tcp://127.0.0.1:%d"]
command = ["python3", "mute.py"]
protocol = "none"
workers.max = 4
wait = "1s"
idle = "1h"
stop.timeout = "1s"
`, n), map[string]string{"mute.py": read(t, "mute.py")})
	only, start := d.say(n, "0")

	// Pairs of clients, of which the second comes while the first is served.
	longest := start
	for range 10 {
		c, err := dial(n)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintln(c, "0.1")
		began := time.Now()
		d.say(n, "0")
		if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
			t.Errorf("the first client is not answered: %v", err)
		}
		longest = max(longest, time.Since(began))
	}
	// A machine that has stood still has had clients wait.
	calm := longest < limit
	if w := d.workers(); calm && !slices.Equal(w, []int{only}) {
		t.Errorf("no client waited for longer than %v, and there are the workers %v", longest, w)
	}
	t.Logf("20 clients, of which none waited for more than %v: %d worker", longest, len(d.workers()))

	began := time.Now()
	hold(t, n, "3600") // by whom it is held, it may have waited as well
	another, _ := d.say(n, "0")
	waited := time.Since(began)
	if w := d.workers(); calm && waited < 2*limit && len(w) != 2 {
		t.Errorf("a client waited for %v until %d served it, and there are the workers %v", waited, another, w)
	}
	if most := 5 * (limit + start); calm && waited < limit || waited > most {
		t.Errorf("a client waited for %v until another worker served it, want %v and not much more", waited, limit)
	}
	t.Logf("one waited for %v, and a start takes %v: %d workers", waited, start, len(d.workers()))
}

// TestShrinksUnderATrickle has pools that had grown to 16 serve one client at a
// time. The kernel gives the clients to all the workers in turn, and yet the pools
// shrink, be it by the queue or by what the workers tell.
func TestShrinksUnderATrickle(t *testing.T) {
	for _, c := range []struct{ name, program, more, quick, slow string }{
		{"workers that say nothing", "mute.py", "protocol = \"none\"\n", "0", "1"},
		{"workers that tell", "hang.py", "protocol = \"systemd\"\nstart.notify = true\n", "quick", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := port(t)
			d := start(t, fmt.Sprintf(`
[service.web]
listen = ["tcp://127.0.0.1:%d"]
command = ["python3", "%s", "well"]
workers = { max = 16, min = 0 }
start.ramp = 16
idle = "2s"
wait = "20ms"
%s`, n, c.program, c.more), map[string]string{c.program: read(t, c.program)})
			grow(d, n, c.slow)
			served := make(map[int]int)
			began := time.Now()
			last, longest := began, time.Duration(0)
			d.eventually("the pool shrinks", func() bool {
				pid, _ := d.say(n, c.quick)
				served[pid]++
				longest, last = max(longest, time.Since(last)), time.Now()
				return len(d.workers()) <= 2
			})
			// They begin to go before the first client comes; on a machine that stands
			// still for a while, many of them.
			if len(served) < 4 && longest < time.Second {
				t.Errorf("the clients were served by %d workers, so that the others were idle anyway", len(served))
			}
			t.Logf("16 workers became %d in %v, though %d of them served", len(d.workers()), time.Since(began), len(served))
		})
	}
}

// grow has 16 clients hold a worker each until there are 16 workers.
func grow(d *daemon, port int, slow string) {
	if slow != "" {
		done := make(chan struct{})
		var clients sync.WaitGroup
		for range 24 {
			clients.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						d.say(port, slow)
					}
				}
			})
		}
		d.counted(16)
		close(done)
		clients.Wait()
		return
	}
	for range 16 {
		c, err := dial(port)
		if err != nil {
			d.t.Fatal(err)
		}
		defer c.Close()
	}
	d.counted(16)
}

// where is the line of a picture that names the place where a worker hung.
var where = regexp.MustCompile(`waits in \w+; system call \d+|system call \d+`)

// TestHungWorkers has one worker hang at its start, one fall silent and one be busy
// for too long. Each is ended by its own limit, and not before it was looked at;
// their neighbours live on.
func TestHungWorkers(t *testing.T) {
	t.Parallel()
	ports := make(map[string]int)
	toml := ""
	for name, limit := range map[string]string{
		"start": "start = { notify = true, timeout = \"2s\" }\n",
		"heart": "start = { notify = true, timeout = \"30s\" }\nheartbeat = \"4s\"\n",
		"busy":  "start = { notify = true, timeout = \"30s\" }\nheartbeat = \"20s\"\nbusy = \"4s\"\n",
		"well":  "start = { notify = true, timeout = \"30s\" }\nheartbeat = \"20s\"\nbusy = \"20s\"\n",
	} {
		ports[name] = port(t)
		toml += fmt.Sprintf("[service.%s]\nlisten = [\"tcp://127.0.0.1:%d\"]\ncommand = [\"python3\", \"hang.py\", %q]\nprotocol = \"systemd\"\nworkers.max = 2\nstop.timeout = \"1s\"\n%s",
			name, ports[name], name, limit)
	}
	d := start(t, toml, map[string]string{"hang.py": read(t, "hang.py")})
	if err := syscall.Mkfifo(filepath.Join(d.dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	well, _ := d.say(ports["well"], "quick")
	hold(t, ports["busy"], "hang")
	neighbour, _ := d.say(ports["busy"], "quick")
	hold(t, ports["start"], "quick")
	silent, _ := d.say(ports["heart"], "quick")

	for service, limit := range map[string]string{
		"start": "(start.timeout)", "heart": "(heartbeat)", "busy": "(busy)",
	} {
		ended := regexp.MustCompile(`service "` + service + `": worker (\d+) .*ending it ` + regexp.QuoteMeta(limit))
		d.eventually(limit+" ends a worker", func() bool { return ended.MatchString(d.said()) })
		pid := ended.FindStringSubmatch(d.said())[1]
		picture := regexp.MustCompile(`service "` + service + `": worker ` + pid + ` at the age of .*`)
		d.eventually("there is a picture of it", func() bool { return where.MatchString(picture.FindString(d.said())) })
		t.Log(picture.FindString(d.said()))
		d.eventually("it is gone", func() bool { n, _ := strconv.Atoi(pid); return syscall.Kill(n, 0) != nil })
	}
	if syscall.Kill(neighbour, 0) != nil {
		t.Errorf("worker %d was ended too, and had not hung", neighbour)
	}
	if syscall.Kill(silent, 0) == nil {
		t.Errorf("the silent worker %d lives", silent)
	}
	if pid, _ := d.say(ports["well"], "quick"); pid != well {
		t.Errorf("worker %d serves, %d need not have gone", pid, well)
	}
	if strings.Contains(d.said(), "\"well\": worker") {
		t.Errorf("something was told of those that are well:\n%s", d.lastLines())
	}
}

// hold has a client that waits for its answer until the test ends.
func hold(t *testing.T, port int, line string) {
	t.Helper()
	c, err := dial(port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintln(c, line)
}
