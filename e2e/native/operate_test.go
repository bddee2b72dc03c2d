package native

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/scoreboard"
)

// operator connects to the daemon's control socket.
func (d *daemon) operator() *control.Client {
	d.t.Helper()
	c, err := control.Dial(d.within(), filepath.Join(d.dir, "run", "brood.sock"))
	if err != nil {
		d.t.Fatalf("%v; the log:\n%s", err, d.lastLines())
	}
	d.t.Cleanup(func() { c.Close() })
	return c
}

// within is a context that no request of a test may outlive.
func (d *daemon) within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), await.Patience)
	d.t.Cleanup(cancel)
	return ctx
}

// picture is all that the daemon knows.
func (d *daemon) picture() *scoreboard.Picture {
	d.t.Helper()
	var p scoreboard.Picture
	if err := d.operator().Do(d.within(), control.Request{Do: control.VerbPicture, Workers: true}, &p); err != nil {
		d.t.Fatal(err)
	}
	return &p
}

// load is clients who come all the time, one after another, until it is ended.
type load struct {
	stop   atomic.Bool
	all    sync.WaitGroup
	served atomic.Int64
	mu     sync.Mutex
	failed []error
}

func startLoad(port, clients int) *load {
	l := &load{}
	for range clients {
		l.all.Go(func() {
			for !l.stop.Load() {
				if _, err := ask(port, "20ms"); err != nil {
					l.mu.Lock()
					l.failed = append(l.failed, err)
					l.mu.Unlock()
					return
				}
				l.served.Add(1)
			}
		})
	}
	return l
}

// end wants every client to have been served.
func (l *load) end(t *testing.T) {
	t.Helper()
	l.stop.Store(true)
	l.all.Wait()
	if len(l.failed) > 0 || l.served.Load() == 0 {
		t.Errorf("%d clients were served, and of the others: %v", l.served.Load(), l.failed)
	}
}

// faulty are services that cannot be; each begins at the line marked by "!", and
// the rest says what has to be told.
var faulty = []struct{ name, text, want string }{
	{"unknown key", "listen = [\"tcp://127.0.0.1:{free}\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n!max_uses = 3\n", "has no key"},
	{"another type", "listen = [\"tcp://127.0.0.1:{free}\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n!workers.max = \"many\"\n", "wants a whole number"},
	{"out of range", "listen = [\"tcp://127.0.0.1:{free}\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n!workers.max = 0\n", "out of range"},
	{"floor above the limit", "listen = [\"tcp://127.0.0.1:{free}\"]\ncommand = [\"{self}\"]\nprotocol = \"none\"\n!workers = { min = 5, max = 2 }\n", "min"},
	{"key of another protocol", "listen = [\"tcp://127.0.0.1:{free}\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n!wait = \"1s\"\n", "wait"},
	{"unknown protocol", "listen = [\"tcp://127.0.0.1:{free}\"]\ncommand = [\"cat\"]\n!protocol = \"http\"\n", "protocol"},
	{"no such program", "listen = [\"tcp://127.0.0.1:{free}\"]\n!command = [\"/nonexistent/worker\"]\nprotocol = \"inetd\"\n", "cannot execute"},
	{"program not in PATH", "listen = [\"tcp://127.0.0.1:{free}\"]\n!command = [\"no-such-program-anywhere\"]\nprotocol = \"inetd\"\n", "there is no program"},
	{"no such directory", "listen = [\"tcp://127.0.0.1:{free}\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n!directory = \"/nonexistent\"\n", "directory"},
	{"no such user", "listen = [\"tcp://127.0.0.1:{free}\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n!user = \"nobody-of-this-name\"\n", "cannot find the user"},
	{"no such group", "listen = [\"tcp://127.0.0.1:{free}\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n!group = \"no-group-of-this-name\"\n", "cannot find the group"},
	{"no such file of variables", "listen = [\"tcp://127.0.0.1:{free}\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n!env_file = \"/nonexistent\"\n", "/nonexistent"},
	{"no such template", "listen = [\"tcp://127.0.0.1:{free}\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n!template = \"nothing\"\n", "there is no template"},
	{"no such ceiling", "listen = [\"tcp://127.0.0.1:{free}\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n!ceilings = [\"nothing\"]\n", "ceiling"},
	{"address of another service", "!listen = [\"tcp://127.0.0.1:{web}\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n", "127.0.0.1"},
	{"no address at all", "!listen = [\"localhost\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n", "localhost"},
	{"address of another program", "!listen = [\"tcp://127.0.0.1:{taken}\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n", "address already in use"},
	{"address that is not here", "!listen = [\"tcp://192.0.2.77:7070\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n", "cannot assign requested address"},
	{"folder of a socket missing", "!listen = [\"unix://{dir}/none/sock\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n", "no such file or directory"},
	{"file in the place of a socket", "!listen = [\"unix://{dir}/data\"]\ncommand = [\"cat\"]\nprotocol = \"inetd\"\n", "neither socket nor fifo"},
	{"not TOML", "listen = [\"tcp://127.0.0.1:{free}\"]\n!command = [\"cat\"\nprotocol = \"inetd\"\n", ""},
}

// TestFaultyReloads asks for a plan and a reload of each of them while clients
// come: none of it changes anything for them, and the good file that follows is
// put in force.
func TestFaultyReloads(t *testing.T) {
	web, free := port(t), port(t)
	another, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	base := fmt.Sprintf(serveToml, "web", web) + "workers.max = 3\n"
	d := start(t, base, map[string]string{"data": "precious"})
	names := strings.NewReplacer("{free}", fmt.Sprint(free), "{web}", fmt.Sprint(web), "{taken}", fmt.Sprint(another.Addr().(*net.TCPAddr).Port))
	c := d.operator()
	clients := startLoad(web, 4)
	for _, f := range faulty {
		text := base + "[service.bad]\n" + names.Replace(f.text)
		before, _, _ := strings.Cut(text, "!")
		line := strings.Count(before, "\n") + 3 // two lines are [brood]'s
		d.configure(strings.Replace(text, "!", "", 1))
		for _, verb := range []control.Verb{control.VerbPlan, control.VerbReload} {
			err := c.Do(d.within(), control.Request{Do: verb}, nil)
			if !refusedAt(err, line, f.want) {
				t.Errorf("%s, %s: want line %d: %s; got %+v", f.name, verb, line, f.want, err)
			}
		}
		soFar := clients.served.Load()
		d.eventually("clients are served", func() bool { return clients.served.Load() > soFar })
	}
	d.configure(base + fmt.Sprintf(serveToml, "good", free))
	var planned, done scoreboard.Outcome
	for _, ask := range []struct {
		verb control.Verb
		into *scoreboard.Outcome
	}{{control.VerbPlan, &planned}, {control.VerbReload, &done}} {
		if err := c.Do(d.within(), control.Request{Do: ask.verb}, ask.into); err != nil {
			t.Fatal(err)
		}
		if o := ask.into; len(o.Changes) != 1 || o.Changes[0].Service != "good" || o.Changes[0].Kind != "added" || o.Kept != 1 {
			t.Errorf("%s: %+v", ask.verb, o)
		}
	}
	d.served(free, "")
	clients.end(t)
	t.Logf("%d clients were served meanwhile", clients.served.Load())
}

// refusedAt tells whether a request was refused because of a line.
func refusedAt(err error, line int, want string) bool {
	var refused *control.Error
	if !errors.As(err, &refused) || refused.Code != control.Refused {
		return false
	}
	for _, d := range refused.Diagnostics {
		at := fmt.Sprintf("brood.toml:%d", line)
		if d.Line == line && strings.HasSuffix(d.File, "brood.toml") && d.Error && strings.Contains(d.Text, at) && strings.Contains(d.Text, want) {
			return true
		}
	}
	return false
}

// jobs is a service whose clients say how long they are to be served. Each worker
// first says who it is.
const jobs = `
[service.jobs]
listen = ["tcp://127.0.0.1:%d?backlog=1024"]
command = ["sh", "-c", "echo $$; read -r t && sleep $t && echo done"]
protocol = "inetd"
workers.max = 300
start.ramp = 50
`

// job is one client of it.
type job struct {
	conn net.Conn
	from *bufio.Reader
	pid  int32
	took float64 // seconds
	done bool
}

// startJobs has so many clients be with a worker, and then all of them begin.
func startJobs(t *testing.T, port, n int, longest float64) []*job {
	t.Helper()
	all := make([]*job, n)
	for i := range all {
		c, err := dial(port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(await.Patience))
		all[i] = &job{conn: c, from: bufio.NewReader(c), took: longest * float64(i) / float64(n)}
	}
	for _, j := range all {
		if _, err := fmt.Fscanln(j.from, &j.pid); err != nil {
			t.Fatalf("a client is with nobody: %v", err)
		}
	}
	for _, j := range all {
		fmt.Fprintf(j.conn, "%.3f\n", j.took)
	}
	return all
}

// finish waits until every client has its answer, or none will come.
func finish(all []*job) (done int) {
	for _, j := range all {
		line, _ := j.from.ReadString('\n')
		j.done = strings.TrimSpace(line) == "done"
		if j.done {
			done++
		}
	}
	return done
}

// drain drains a service, or all, and returns what was told on the way and at
// last.
func (d *daemon) drain(service string, patience time.Duration) (lines []scoreboard.Progress, last scoreboard.Progress) {
	d.t.Helper()
	end, err := d.operator().Stream(d.within(), control.Request{Do: control.VerbDrain, Service: service, Deadline: int64(patience)},
		func(raw json.RawMessage) error {
			var p scoreboard.Progress
			lines = append(lines, p)
			return json.Unmarshal(raw, &lines[len(lines)-1])
		})
	if err == nil {
		err = json.Unmarshal(end, &last)
	}
	if err != nil {
		d.t.Fatalf("a drain: %v; the log:\n%s", err, d.lastLines())
	}
	return lines, last
}

const jobCount = 200

// TestDrainLetsJobsFinish drains all of brood while 200 workers have jobs of up to
// 5 seconds: every one of them is finished, and then the daemon ends.
func TestDrainLetsJobsFinish(t *testing.T) {
	n := port(t)
	d := start(t, fmt.Sprintf(jobs, n), nil)
	all := startJobs(t, n, jobCount, 5)
	began := time.Now()
	lines, last := d.drain("", await.Patience)
	if done := finish(all); done != jobCount {
		t.Errorf("%d of %d jobs were finished; the log:\n%s", done, jobCount, d.lastLines())
	}
	if !last.Done || len(last.CutOff) > 0 || len(last.Left) > 0 {
		t.Errorf("the last word: %+v", last)
	}
	if most := int(time.Since(began)/(200*time.Millisecond)) + 2; len(lines) > most || len(lines) < 3 {
		t.Errorf("%d lines in %v", len(lines), time.Since(began))
	}
	for i := 1; i < len(lines); i++ {
		if len(lines[i].Left) > len(lines[i-1].Left) {
			t.Errorf("more are left than before: %d, %d", len(lines[i-1].Left), len(lines[i].Left))
		}
	}
	if err := <-d.end; err != nil {
		t.Errorf("the daemon: %v", err)
	}
	d.gone = true
}

// TestDrainNamesWhoIsCutOff gives jobs of up to 20 seconds 2 of them: those in time
// are finished, the others are named. The daemon serves other clients meanwhile.
func TestDrainNamesWhoIsCutOff(t *testing.T) {
	n, web := port(t), port(t)
	d := start(t, fmt.Sprintf(jobs, n)+fmt.Sprintf(serveToml, "web", web), nil)
	clients := startLoad(web, 1)
	began := time.Now()
	all := startJobs(t, n, jobCount, 20)
	_, last := d.drain("jobs", 2*time.Second)
	cutOff := time.Since(began).Seconds() // all that were to take longer
	named := map[int32]bool{}
	for _, l := range last.CutOff {
		named[l.PID] = true
	}
	finish(slices.DeleteFunc(slices.Clone(all), func(j *job) bool { return named[j.pid] })) // what a job has begun may hold its client
	for _, j := range all {
		switch {
		case !j.done && !named[j.pid]:
			t.Errorf("a job of %.2f s was cut off, and its worker is not named", j.took)
		case j.took > cutOff && !named[j.pid]:
			t.Errorf("a job of %.2f s was finished within %.2f s", j.took, cutOff)
		}
	}
	if len(named) == 0 || len(named) == jobCount {
		t.Errorf("%d were cut off", len(named))
	}
	clients.end(t)
	if s := d.picture().Services[0]; !s.Draining || s.Busy+s.Idle+s.Starting+s.Retiring != 0 {
		t.Errorf("afterwards: %+v", s)
	}
	if err := d.operator().Do(d.within(), control.Request{Do: control.VerbResume, Service: "jobs"}, nil); err != nil {
		t.Fatal(err)
	}
	if done := finish(startJobs(t, n, 3, 0)); done != 3 {
		t.Errorf("%d of 3 were served after it was resumed", done)
	}
}

// TestControlSocketLife: it is there while the daemon is, is gone afterwards, and
// one that a killed daemon has left is replaced. One that somebody has removed is
// there again after a reload.
func TestControlSocketLife(t *testing.T) {
	n := port(t)
	d := start(t, fmt.Sprintf(serveToml, "web", n), nil)
	path := filepath.Join(d.dir, "run", "brood.sock")
	if p := d.picture(); p.Mode != "native" || int(p.PID) != d.cmd.Process.Pid || len(p.Services) != 1 {
		t.Errorf("%+v", p)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	d.reload()
	d.picture()
	d.kill()
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("a killed daemon leaves its socket: %v", err)
	}
	again := prepare(t, "", nil)
	again.dir = d.dir
	again.cmd.Dir = d.dir
	again.run()
	again.logged("daemon started")
	again.picture()
	again.stop()
	again.gone = true
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}
