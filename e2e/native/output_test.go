package native

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// loudToml is a service of the role "loud", which writes to its standard error
// what its client asks for.
const loudToml = `
[service.loud]
listen = ["tcp://127.0.0.1:%d"]
command = ["{self}"]
protocol = "none"
env = { BROOD_TEST_ROLE = "loud" }
`

// memory is how much the daemon has had in memory at most, in bytes.
func (d *daemon) memory() (most int64) {
	d.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	if _, err := fmt.Sscan(rest, &most); err != nil {
		d.t.Fatal(err)
	}
	return most << 10
}

// TestLoudWorkers has a worker write two gigabytes as fast as it can, in lines
// and without an end. It is not held up, broodd does not grow, and what is not
// logged is counted.
func TestLoudWorkers(t *testing.T) {
	for _, kind := range []string{"lines", "endless"} {
		t.Run(kind, func(t *testing.T) {
			n, quiet := port(t), port(t)
			d := start(t, fmt.Sprintf(loudToml, n)+`log = { to = "{dir}/log" }
`+fmt.Sprintf(serveToml, "quiet", quiet), nil)
			d.served(quiet, "")
			if _, err := ask(n, kind+" 1000000"); err != nil {
				t.Fatal(err)
			}
			before := d.memory()
			const size = 2 << 30
			began := time.Now()
			if _, err := ask(n, fmt.Sprint(kind, " ", size)); err != nil {
				t.Fatalf("%v; the log:\n%s", err, d.lastLines())
			}
			took := time.Since(began)
			alone := pipeAlone(t, size)
			t.Logf("%.2f GB/s, and %.2f with nobody but a reader", size/took.Seconds()/1e9, size/alone.Seconds()/1e9)
			if took > 30*alone {
				t.Errorf("the worker was held up: %v, and %v with nobody but a reader", took, alone)
			}
			if grown := d.memory() - before; grown > 8<<20 {
				t.Errorf("broodd has grown by %d bytes", grown)
			}
			d.eventually("the loss is counted", func() bool {
				b, err := os.ReadFile(filepath.Join(d.dir, "log"))
				return err == nil && strings.Contains(string(b), "lines were not logged: log.rate is 1000 a second")
			})
			d.served(quiet, "")
		})
	}
}

// pipeAlone is how long so many bytes take through a pipe to somebody who only
// reads.
func pipeAlone(t *testing.T, size int) time.Duration {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer w.Close()
		piece := make([]byte, 64<<10)
		for n := 0; n < size; n += len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}()
	began := time.Now()
	b := make([]byte, 64<<10)
	for {
		if n, err := r.Read(b); n == 0 || err != nil {
			return time.Since(began)
		}
	}
}

// TestLoudWorkerDelaysNobody compares how long clients of a service wait while
// the worker of another is quiet, and while it writes as fast as it can.
func TestLoudWorkerDelaysNobody(t *testing.T) {
	n, quiet := port(t), port(t)
	d := start(t, fmt.Sprintf(loudToml, n)+`log = { to = "discard" }
[service.quiet]
listen = ["tcp://127.0.0.1:`+fmt.Sprint(quiet)+`"]
command = ["sh", "-c", "read -r x && echo served by $$"]
protocol = "inetd"
`, nil)
	calm := newCalm(t)
	c, err := dial(n)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintln(c, "lines 100000000000000")
	d.counted(1)
	d.slowed(quiet, calm, "a loud worker", 6)
	for _, pid := range d.workers() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// TestNoLineIsLostBelowTheRate has a worker write all that its rate permits at
// once, to each place where lines can go and in each form.
func TestNoLineIsLostBelowTheRate(t *testing.T) {
	for name, c := range map[string]struct {
		log  string
		take func(t *testing.T, d *daemon) func() string
		line func(t *testing.T, line string) (text string)
	}{
		"a file":         {`{ to = "{dir}/log" }`, takeFile, textLine},
		"a file in JSON": {`{ to = "{dir}/log", format = "json" }`, takeFile, jsonLine},
		"stdout":         {`{ to = "stdout" }`, takeStdout, textLine},
		"stderr in JSON": {`{ to = "stderr", format = "json" }`, takeStdout, jsonLine},
		"syslog":         {`{ to = "syslog", facility = "local3" }`, takeDatagrams, syslogLine},
		"journal":        {`{ to = "journal" }`, takeDatagrams, journalLine},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && c.take != nil {
				t.Skip("needs root")
			}
			n := port(t)
			d := prepare(t, fmt.Sprintf(loudToml, n)+"log = "+c.log+"\n", nil)
			said := c.take(t, d)
			d.run()
			d.logged("daemon started")
			const lines = 1000
			if _, err := ask(n, fmt.Sprint("numbers ", lines)); err != nil {
				t.Fatal(err)
			}
			d.eventually("the last line", func() bool { return strings.Contains(said(), fmt.Sprintf("number %d ", lines)) })
			next := 1
			for line := range strings.Lines(said()) {
				if text := c.line(t, line); strings.HasPrefix(text, "number ") {
					if want := fmt.Sprintf("number %d é\t\"'", next); text != want {
						t.Fatalf("got %q, want %q", text, want)
					}
					next++
				}
			}
			if next != lines+1 {
				t.Errorf("%d lines of %d", next-1, lines)
			}
			if strings.Contains(said(), "not logged") {
				t.Error("some are counted as lost")
			}
		})
	}
}

func takeFile(_ *testing.T, d *daemon) func() string {
	return func() string {
		b, _ := os.ReadFile(filepath.Join(d.dir, "log")) // not there before the first line
		return string(b)
	}
}

func takeStdout(_ *testing.T, d *daemon) func() string { return d.said }

// takeDatagrams is the logger of a machine of its own, syslogd and journald at
// once. A line is made of each datagram.
func takeDatagrams(t *testing.T, d *daemon) func() string {
	path := filepath.Join(d.dir, "logger")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	taken := &daemon{}
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := l.Read(b)
			if err != nil {
				return
			}
			fmt.Fprintf(taken, "%s\n", strings.ReplaceAll(strings.TrimSuffix(string(b[:n]), "\n"), "\n", "|"))
		}
	}()
	d.cmd.Args = []string{"unshare", "--mount", "sh", "-c", `
		mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 &&
		ln -s "$0" /dev/log &&
		mount -t tmpfs none /run && mkdir -p /run/systemd/journal && ln -s "$0" /run/systemd/journal/socket &&
		exec "$@"`, path, d.cmd.Path}
	d.cmd.Path = "/usr/bin/unshare"
	return taken.said
}

// textLine is what a worker wrote of a line in text form.
func textLine(t *testing.T, line string) string {
	f := strings.SplitN(line, " ", 4) // time, service[pid], generation, text
	if len(f) < 4 || !strings.HasPrefix(f[1], "loud[") {
		return ""
	}
	if _, err := time.Parse(time.RFC3339, f[0]); err != nil {
		t.Error(err)
	}
	return strings.TrimSuffix(f[3], "\n")
}

func jsonLine(t *testing.T, line string) string {
	var v struct {
		Service, Line   string
		PID, Generation int
	}
	if !strings.HasPrefix(line, "{") {
		return "" // of the daemon itself
	}
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Errorf("%q: %v", line, err)
	}
	if v.Service == "loud" && (v.PID == 0 || v.Generation == 0) {
		t.Errorf("a line of nobody: %q", line)
	}
	return v.Line
}

func syslogLine(t *testing.T, line string) string {
	head, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "]: ")
	if !strings.HasPrefix(head, "<158>") || !strings.Contains(head, " loud[") {
		t.Errorf("the head %q", head)
	}
	return text
}

func journalLine(t *testing.T, line string) string {
	fields := strings.Split(strings.TrimSuffix(line, "\n"), "|")
	for _, want := range []string{"PRIORITY=6", "SYSLOG_IDENTIFIER=loud", "BROOD_SERVICE=loud"} {
		if !slices.Contains(fields, want) {
			t.Errorf("no %s in %q", want, line)
		}
	}
	text, _ := strings.CutPrefix(fields[0], "MESSAGE=")
	return text
}

// TestWorkerClosesItsOutput: broodd rests, and the worker serves.
func TestWorkerClosesItsOutput(t *testing.T) {
	n := port(t)
	d := start(t, fmt.Sprintf(loudToml, n), nil)
	if _, err := ask(n, "close 0"); err != nil {
		t.Fatal(err)
	}
	d.rests(time.Second, 4)
	if _, err := ask(n, "numbers 0"); err != nil {
		t.Error(err)
	}
}

// TestGrandchildHoldsTheOutput: a worker ends, and one that it has started keeps
// its output open and writes on. What it writes is logged, the death is told at
// once, and broodd ends when it shall.
func TestGrandchildHoldsTheOutput(t *testing.T) {
	n := port(t)
	d := start(t, fmt.Sprintf(`
[service.web]
listen = ["tcp://127.0.0.1:%d"]
command = ["sh", "-c", "(setsid sh -c 'trap \"\" TERM HUP; echo heir $$; read -r go <{dir}/go; echo still here; exec sleep 1000') & read -r x; echo served by $$; echo bye >&2; exit 3"]
protocol = "inetd"
`, n), nil)
	if err := syscall.Mkfifo(filepath.Join(d.dir, "go"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := dial(n)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintln(c)
	r := bufio.NewReader(c)
	heir := 0
	for range 2 {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Sscanf(line, "heir %d", &heir)
	}
	t.Cleanup(func() { _ = syscall.Kill(heir, syscall.SIGKILL) })
	d.logged("exit status 3")
	d.logged(": bye")
	if err := os.WriteFile(filepath.Join(d.dir, "go"), []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	if line, err := r.ReadString('\n'); line != "still here\n" {
		t.Errorf("%q, %v", line, err)
	}
	d.counted(0)
}

// TestNobodyReadsTheOutput: whoever read the standard output of broodd is gone,
// or does not read. Workers serve all the same.
func TestNobodyReadsTheOutput(t *testing.T) {
	for _, c := range []struct {
		name       string
		gone, both bool // also who reads the daemon's own lines
	}{{"gone", true, false}, {"all gone", true, true}, {"asleep", false, false}} {
		t.Run(c.name, func(t *testing.T) {
			n := port(t)
			d := prepare(t, fmt.Sprintf(loudToml, n), nil)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			d.cmd.Stdout = w
			if c.both {
				d.cmd.Stderr = w
			}
			d.run()
			w.Close()
			if c.gone {
				r.Close()
			}
			d.eventually("it listens", func() bool { _, err := ask(n, "numbers 1"); return err == nil })
			if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil { // to have something to say itself
				t.Fatal(err)
			}
			for range 3 {
				if _, err := ask(n, "lines 10000000"); err != nil {
					t.Fatal(err)
				}
			}
			if most := d.memory(); most > 64<<20 {
				t.Errorf("broodd has grown to %d bytes", most)
			}
		})
	}
}
