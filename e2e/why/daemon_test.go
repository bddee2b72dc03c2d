package why

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/golden"
	"github.com/brood-project/brood/internal/scoreboard"
)

// bin holds broodd and brood, built once.
var bin = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "brood-why-bin")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir+"/", "../../cmd/...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("%w: %s", err, out)
	}
	return dir, os.Chmod(dir, 0o755)
})

func TestMain(m *testing.M) {
	status := m.Run()
	if dir, err := bin(); dir != "" {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.RemoveAll(dir)
	}
	os.Exit(status)
}

// daemon is one broodd that can be asked, in a directory of its own.
type daemon struct {
	*testing.T
	dir    string
	socket string
	cmd    *exec.Cmd
	// as is whom commands run as; nil for the user of the test.
	as *syscall.SysProcAttr

	mu  sync.Mutex
	log bytes.Buffer
}

// newDirectory is one that everybody may pass, unlike those of testing, with a
// name that is short enough for sockets.
func newDirectory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bw-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newDaemon(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{T: t, dir: newDirectory(t)}
	d.socket = filepath.Join(d.dir, "run/brood.sock")
	return d
}

// put writes a file below the daemon's directory.
func (d *daemon) put(name, text string, mode os.FileMode) {
	d.Helper()
	path := filepath.Join(d.dir, name)
	must(d, os.MkdirAll(filepath.Dir(path), 0o755))
	must(d, os.WriteFile(path, []byte(text), mode))
	must(d, os.Chmod(path, mode))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// configure writes the brood.toml; {dir} in it is the daemon's directory.
func (d *daemon) configure(toml string) {
	d.Helper()
	head := fmt.Sprintf("[brood]\nruntime = %q\n", filepath.Join(d.dir, "run"))
	d.put("brood.toml", head+strings.ReplaceAll(toml, "{dir}", d.dir), 0o644)
}

// start serves the brood.toml until the test ends. Commands in front of it give
// it surroundings of its own.
func (d *daemon) start(front ...string) {
	d.Helper()
	dir, err := bin()
	must(d, err)
	words := slices.Concat(front, []string{dir + "/broodd", "-c", d.dir + "/brood.toml"})
	d.cmd = exec.Command(words[0], words[1:]...)
	d.cmd.Dir = d.dir
	d.cmd.Stdout, d.cmd.Stderr = d, d
	must(d, d.cmd.Start())
	d.Cleanup(d.stop)
	d.eventually("broodd answers", func() bool { return d.picture("") != nil })
}

// stop ends the daemon and its workers. The first signal asks for that, another
// one hurries; two that come at once are one for the kernel.
func (d *daemon) stop() {
	end := make(chan error, 1)
	go func() { end <- d.cmd.Wait() }()
	hurry := time.NewTicker(100 * time.Millisecond)
	defer hurry.Stop()
	late := time.AfterFunc(await.Patience, func() { _ = d.cmd.Process.Kill() })
	defer late.Stop()
	for ended := false; !ended; {
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-end:
			ended = true
			if err != nil {
				d.Errorf("broodd: %v; its log:\n%s", err, d.said())
			}
		case <-hurry.C:
		}
	}
	if d.Failed() {
		d.Logf("the log:\n%s", d.said())
	}
}

// Write takes what the daemon says.
func (d *daemon) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(b)
}

func (d *daemon) said() string {
	if log, err := os.ReadFile(d.dir + "/log/mail.log"); err == nil {
		return string(log)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// brood asks the daemon, and returns what is printed and how it ended.
func (d *daemon) brood(args ...string) (string, error) {
	d.Helper()
	dir, err := bin()
	must(d, err)
	cmd := exec.Command(dir+"/brood", args...)
	cmd.Env = append(os.Environ(), "BROOD_SOCKET="+d.socket, "COLUMNS=80", "LC_ALL=C.UTF-8")
	cmd.SysProcAttr = d.as
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// picture asks for one; nil if there is no answer.
func (d *daemon) picture(service string) *scoreboard.Picture {
	d.Helper()
	args := []string{"status", "--json"}
	if service != "" {
		args = append(args, service)
	}
	out, err := d.brood(args...)
	if err != nil {
		return nil
	}
	p := &scoreboard.Picture{}
	must(d, json.Unmarshal([]byte(out), p))
	return p
}

// eventually is await.That, with what an operator sees as the evidence.
func (d *daemon) eventually(what string, ok func() bool) {
	d.Helper()
	await.That(d, what, ok, func() string {
		out, _ := d.brood("status")
		return out
	})
}

// becomes waits until a service looks like that.
func (d *daemon) becomes(service, what string, holds func(*scoreboard.Service, *scoreboard.Picture) bool) {
	d.Helper()
	d.eventually(service+" becomes "+what, func() bool {
		p := d.picture(service)
		if p == nil {
			return false
		}
		for _, s := range p.Find(service) {
			if holds(s, p) {
				return true
			}
		}
		return false
	})
}

// failed tells that a birth or a life has failed, and that what the dead said
// is known.
func failed(words bool) func(*scoreboard.Service, *scoreboard.Picture) bool {
	return func(s *scoreboard.Service, _ *scoreboard.Picture) bool {
		return s.Failure != nil && (!words || len(s.Failure.Words) > 0)
	}
}

// connect is a client that stays until the test ends.
func (d *daemon) connect(port int) net.Conn {
	d.Helper()
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), await.Patience)
	must(d, err)
	d.Cleanup(func() { c.Close() })
	return c
}

// explained holds what brood says of a service: the first two lines have to name
// the cause, and all that does not differ from run to run is golden.
func (d *daemon) explained(service string, says ...string) {
	d.Helper()
	args := []string{"why"}
	if service != "" {
		args = append(args, service)
	}
	text, err := d.brood(args...)
	if err != nil {
		d.Fatalf("brood why: %v\n%s", err, text)
	}
	lines := strings.SplitAfterN(text, "\n", 3)
	first := strings.Join(strings.Fields(strings.Join(lines[:min(2, len(lines))], "")), " ")
	for _, say := range says {
		if say = strings.ReplaceAll(say, "{dir}", d.dir); !strings.Contains(first, say) {
			d.Errorf("the first two lines do not say %q:\n%s", say, text)
		}
	}
	d.Logf("%d lines of log\n%s", strings.Count(d.said(), "\n"), text)
	args = append(args, "--json")
	out, err := d.brood(args...)
	must(d, err)
	var stories []scoreboard.Story
	must(d, json.Unmarshal([]byte(out), &stories))
	var golden strings.Builder
	for _, st := range stories {
		fmt.Fprintf(&golden, "%s\n%s\n", st.Cause, st.Proof)
		for _, part := range [][]string{st.Found, st.Do} {
			golden.WriteString("\n" + strings.Join(part, "\n") + "\n")
		}
	}
	d.golden(golden.String())
}

// What differs from run to run.
var (
	spanOf   = regexp.MustCompile(`\b\d+(\.\d+)? (ms|s|min)( \d+ s)?\b`)
	pidOf    = regexp.MustCompile(`(worker|process|smtpd\[|PID=|pid )( ?)\d+`)
	counted  = regexp.MustCompile(`\b\d+ (births?|clients?|processes)\b`)
	address  = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	portAt   = regexp.MustCompile(`\b(p|P)ort \d+`)
	sizeOf   = regexp.MustCompile(`\b\d+(\.\d+)?[KMG]\b`)
	killsOf  = regexp.MustCompile(`counted them: \d+`)
	kernelAt = regexp.MustCompile(`It hung there: .*`)
)

// golden compares a text with the file of the test's name.
func (d *daemon) golden(text string) {
	d.Helper()
	text = strings.ReplaceAll(text, d.dir, "DIR")
	for _, r := range []struct {
		pattern *regexp.Regexp
		with    string
	}{
		{spanOf, "TIME"},
		{pidOf, "${1}${2}PID"},
		{counted, "N $1"},
		{address, "ADDRESS"},
		{portAt, "${1}ort PORT"},
		{sizeOf, "SIZE"},
		{killsOf, "counted them: N"},
		{kernelAt, "It hung there: PLACE."},
	} {
		text = r.pattern.ReplaceAllString(text, r.with)
	}
	golden.Compare(d, filepath.Join("testdata", strings.TrimPrefix(d.Name(), "Test")+".txt"), text)
}
