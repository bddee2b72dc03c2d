package native

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
)

// program is one that nobody here wrote, in a pool of at most three workers.
// Each serves one client at a time, and takes 0.3 s for one that is slow.
type program struct {
	name string
	// toml is what brood.toml says of it beyond what all have alike.
	toml string
	// files are those of testdata/programs that it needs.
	files []string
	// links are programs of the system that it needs under another name.
	links map[string]string
	// build makes what is not there yet, such as a program from its source.
	build func(d *daemon)
	// nginx is the configuration of the nginx in front; "" is none.
	nginx string
	// ask has one client served and returns what it is told.
	ask func(d *daemon, port int, slow bool) (string, error)
	// http has wrk be the load that a reload happens under.
	http bool
	// single: each worker is born for one client, and leaves with it.
	single bool
	// tells: it says when it is idle.
	tells bool
	// breaks is the file without which it cannot start.
	breaks string
}

// ceiling is workers.max of every program.
const ceiling = 3

// alike is what brood.toml says of every program.
const alike = `
[service.web]
workers.max = 3
backoff = { first = "200ms", max = "1s" }
`

// A program that is told to leave while it is being loaded may miss that: unicorn
// does, and serves on until it is killed. Clients take 0.3 s, so that 5 are plenty.
const (
	onTCP  = "listen = [\"tcp://127.0.0.1:{port}\"]\nidle = \"500ms\"\nstop.timeout = \"5s\"\n"
	onUnix = "listen = [\"unix://{runtime}/web.sock\"]\nidle = \"500ms\"\nstop.timeout = \"5s\"\n"
)

const uwsgi = `["uwsgi-core", "--plugin", "python3", "--protocol", "http", "--processes", "1",
  "--wsgi-file", "app.py", "--need-app", "--exit-on-reload", "--disable-logging"]
`

var programs = []program{
	{
		name:  "gunicorn",
		toml:  onTCP + "command = [\"gunicorn\", \"-w1\", \"app:app\"]\nprotocol = \"systemd\"\nstart = { notify = true, timeout = \"30s\" }\n",
		files: []string{"app.py"}, breaks: "app.py",
		ask: askHTTP, http: true,
	},
	{
		// At TERM it closes connections that it has accepted and not read yet. An
		// nginx in front asks again.
		name:  "uvicorn behind nginx",
		toml:  onUnix + "command = [\"/usr/bin/python3\", \"-m\", \"uvicorn\", \"--fd\", \"{fd}\", \"--no-access-log\", \"asgi:app\"]\nprotocol = \"none\"\n",
		files: []string{"asgi.py"}, breaks: "asgi.py",
		nginx: "proxy.conf", ask: askHTTP, http: true,
	},
	{
		// It takes TERM for a wish to reload, and HUP for one to leave if it is told
		// so. It misses a HUP now and then, serves on and is killed. An nginx in front
		// asks again.
		name:  "uWSGI by systemd behind nginx",
		toml:  onUnix + "command = " + uwsgi + "protocol = \"systemd\"\nstop.signal = \"HUP\"\n",
		files: []string{"app.py"}, breaks: "app.py",
		nginx: "proxy.conf", ask: askHTTP, http: true,
	},
	{
		name:  "uWSGI at descriptor 0 behind nginx",
		toml:  onUnix + "command = " + uwsgi + "protocol = \"none\"\nfd = 0\nstop.signal = \"HUP\"\n",
		files: []string{"app.py"}, breaks: "app.py",
		nginx: "proxy.conf", ask: askHTTP, http: true,
	},
	{
		name:  "unicorn",
		toml:  onTCP + "command = [\"unicorn\", \"-E\", \"deployment\", \"-l\", \"127.0.0.1:{port}\", \"config.ru\"]\nprotocol = \"systemd\"\nstop.signal = \"QUIT\"\n",
		files: []string{"config.ru"}, breaks: "config.ru",
		ask: askHTTP, http: true,
	},
	{
		// As uvicorn, it closes connections that it has accepted and not read yet.
		name:  "puma behind nginx",
		toml:  onUnix + "command = [\"puma\", \"-e\", \"production\", \"-t\", \"1:1\", \"-b\", \"unix://{dir}/run/web.sock\", \"config.ru\"]\nprotocol = \"systemd\"\n",
		files: []string{"config.ru"}, breaks: "config.ru",
		nginx: "proxy.conf", ask: askHTTP, http: true,
	},
	{
		name:  "node",
		toml:  onTCP + "command = [\"node\", \"server.js\", \"{fd}\"]\nprotocol = \"none\"\n",
		files: []string{"server.js"}, breaks: "server.js",
		ask: askHTTP, http: true,
	},
	{
		name:  "Go net/http",
		toml:  onTCP + "command = [\"./web\"]\nprotocol = \"systemd\"\n",
		build: func(d *daemon) { d.made("go", "build", "-o", filepath.Join(d.dir, "web"), "./testdata/programs/web") },
		files: []string{"web.conf"}, breaks: "web.conf",
		ask: askHTTP, http: true,
	},
	{
		name: "C with libsystemd",
		toml: "listen = [\"tcp://127.0.0.1:{port}?name=clients\"]\nidle = \"500ms\"\ncommand = [\"./worker\"]\nprotocol = \"systemd\"\nstart.notify = true\n",
		build: func(d *daemon) {
			d.made("gcc", "-Wall", "-o", filepath.Join(d.dir, "worker"), "testdata/programs/worker.c", "-lsystemd")
		},
		files: []string{"worker.conf"}, breaks: "worker.conf",
		ask: askLine, tells: true,
	},
	{
		name:  "php-cgi",
		toml:  onUnix + "command = [\"./php-cgi\"]\nprotocol = \"fastcgi\"\n",
		files: []string{"page.php"}, links: map[string]string{"php-cgi": "php-cgi8.2"}, breaks: "php-cgi",
		ask: askFastCGI,
	},
	{
		name:  "php-cgi behind nginx",
		toml:  onUnix + "command = [\"./php-cgi\"]\nprotocol = \"fastcgi\"\n",
		files: []string{"page.php"}, links: map[string]string{"php-cgi": "php-cgi8.2"}, breaks: "php-cgi",
		nginx: "fastcgi.conf", ask: askHTTP, http: true,
	},
	{
		// Its library takes USR1 for a wish to leave when the client is served, but
		// the wait for a CGI program is cut short by any signal, for which there is no other
		// try: so nobody is idle while a client is in hand. nginx asks again.
		name:  "fcgiwrap behind nginx",
		toml:  "listen = [\"unix://{runtime}/web.sock\"]\nidle = \"2s\"\nstop.timeout = \"5s\"\ncommand = [\"./fcgiwrap\"]\nprotocol = \"fastcgi\"\nstop.signal = \"USR1\"\n",
		files: []string{"page.cgi"}, links: map[string]string{"fcgiwrap": "fcgiwrap"}, breaks: "fcgiwrap",
		nginx: "fastcgi.conf", ask: askHTTP, http: true,
	},
	{
		name:  "plain Perl",
		toml:  onTCP + "command = [\"perl\", \"plain.pl\", \"{fd}\"]\nprotocol = \"none\"\n",
		files: []string{"plain.pl"}, breaks: "plain.pl",
		ask: askLine,
	},
	{
		name:  "shell with systemd-notify",
		toml:  onTCP + "command = [\"sh\", \"told.sh\"]\nprotocol = \"systemd\"\nstart.notify = true\n",
		files: []string{"told.sh"}, breaks: "told.sh",
		ask: askLine, tells: true,
	},
	{
		name:  "UDP echo",
		toml:  "listen = [\"udp://127.0.0.1:{port}\"]\nstop.timeout = \"5s\"\nwait = \"500ms\"\nidle = \"500ms\"\ncommand = [\"python3\", \"echo.py\", \"{fd}\"]\nprotocol = \"none\"\n",
		files: []string{"echo.py"}, breaks: "echo.py",
		ask: askUDP,
	},
	{
		name:  "bash by inetd",
		toml:  "listen = [\"tcp://127.0.0.1:{port}\"]\ncommand = [\"./bash\", \"--norc\", \"greet.sh\"]\nprotocol = \"inetd\"\n",
		files: []string{"greet.sh"}, links: map[string]string{"bash": "bash"}, breaks: "bash",
		ask: askLine, single: true,
	},
	{
		name:  "Net::Server by inetd",
		toml:  "listen = [\"tcp://127.0.0.1:{port}\"]\ncommand = [\"./perl\", \"inet.pl\"]\nprotocol = \"inetd\"\n",
		files: []string{"inet.pl"}, links: map[string]string{"perl": "perl"}, breaks: "perl",
		ask: askLine, single: true,
	},
	{
		name: "git daemon by inetd",
		toml: `listen = ["tcp://127.0.0.1:{port}"]
command = ["./git", "daemon", "--inetd", "--export-all", "--base-path={dir}"]
protocol = "inetd"
env = { GIT_CONFIG_COUNT = "1", GIT_CONFIG_KEY_0 = "uploadpack.packObjectsHook", GIT_CONFIG_VALUE_0 = "sleep 0.3; exec" }
`,
		build: makeRepository, links: map[string]string{"git": "git"}, breaks: "git",
		ask: askGit, single: true,
	},
}

// TestPrograms has each of them live a whole life.
func TestPrograms(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			n := port(t)
			l := &life{program: p, port: n, toml: strings.ReplaceAll(alike+p.toml, "{port}", portText(n))}
			l.daemon = prepare(t, l.toml, nil)
			l.furnish()
			l.run()
			l.logged("daemon started")
			l.live()
		})
	}
}

// life is one program with the daemon that serves it.
type life struct {
	program
	*daemon
	port int
	toml string
	// seen is how many workers there have been at most, see most.
	seen atomic.Int32
}

// furnish puts what the program needs beside its brood.toml.
func (l *life) furnish() {
	for _, name := range l.files {
		text, err := os.ReadFile(filepath.Join("testdata", "programs", name))
		if err != nil && !strings.HasSuffix(name, ".conf") {
			l.t.Fatal(err)
		}
		l.daemon.program(name, string(text))
	}
	for name, of := range l.links {
		path, err := exec.LookPath(of)
		if err == nil {
			err = os.Symlink(path, filepath.Join(l.dir, name))
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
	if l.build != nil {
		l.build(l.daemon)
	}
	if l.nginx != "" {
		l.startNginx()
	}
}

// live is what each program has to show.
func (l *life) live() {
	if w := l.workers(); len(w) > 0 {
		l.t.Errorf("workers %v at rest", w)
	}
	l.served("the first client")
	if most := l.most(l.rush); most != ceiling {
		l.t.Errorf("%d clients at a time had %d workers, want %d", 4*ceiling, most, ceiling)
	}
	l.counted(0) // the pool shrinks to its floor
	if most := l.most(l.reloadUnderLoad); most > ceiling {
		l.t.Errorf("a reload under load had %d workers, above the ceiling of %d", most, ceiling)
	}
	l.counted(0)
	if !l.single {
		l.crash()
	}
	l.breakAndMend()
}

// served wants a client to be served now.
func (l *life) served(who string) {
	l.t.Helper()
	if said, err := l.ask(l.daemon, l.port, false); err != nil || !strings.Contains(said, "served by ") {
		l.t.Fatalf("%s got %q, %v; the log:\n%s", who, said, err, l.lastLines())
	}
}

// rush has four clients at a time for each worker that there may be, and wants
// them all served. They come again until there are so many workers: some programs
// take more clients than they serve, and how many wait is a matter of time.
func (l *life) rush() {
	began := time.Now()
	var clients sync.WaitGroup
	for range 4 * ceiling {
		clients.Go(func() {
			for n := 0; n < 2 || l.seen.Load() < ceiling && time.Since(began) < await.Patience; n++ {
				if said, err := l.ask(l.daemon, l.port, true); err != nil || !strings.Contains(said, "served by ") {
					l.t.Errorf("a client got %q, %v", said, err)
				}
			}
		})
	}
	clients.Wait()
}

// most is how many workers there were at most while something went on. They are
// counted from outside, by the kernel's list of the daemon's children.
func (l *life) most(during func()) int {
	done := make(chan struct{})
	l.seen.Store(0)
	go func() { defer close(done); during() }()
	for {
		select {
		case <-done:
			return int(l.seen.Load())
		case <-time.After(2 * time.Millisecond):
			l.seen.Store(max(l.seen.Load(), int32(len(l.workers()))))
		}
	}
}

// reloadUnderLoad has all workers be replaced twice while clients come.
func (l *life) reloadUnderLoad() {
	load := l.wrk
	if !l.http {
		load = l.stream
	}
	ends := load()
	l.eventually("the load has begun", func() bool { return len(l.workers()) > 0 })
	l.replaced(nil)
	for _, more := range []string{"umask = \"027\"\n", ""} {
		l.served("a client beside the load")
		old := l.workers()
		l.configure(l.toml + more)
		l.reload()
		l.replaced(old)
	}
	ends()
}

// replaced waits until all workers are new, and each has served a client: until
// then a program may miss a signal. A worker that is born for one client is not
// told to leave.
func (l *life) replaced(old []int) {
	l.t.Helper()
	proven := make(map[int]bool)
	l.eventually("all workers are new, and have served", func() bool {
		if !l.single {
			proven[l.whoServes()] = true
		}
		return !slices.ContainsFunc(l.workers(), func(pid int) bool {
			return slices.Contains(old, pid) || !l.single && !proven[pid]
		})
	})
}

// byWhom is how a program says who it is.
var byWhom = regexp.MustCompile(`served by (\d+)`)

// whoServes has a client be served, and returns which of the workers did. A process
// that a worker has made may say who it is instead; 0 is one that has ended.
func (l *life) whoServes() int {
	l.t.Helper()
	said, err := l.ask(l.daemon, l.port, false)
	match := byWhom.FindStringSubmatch(said)
	if err != nil || match == nil {
		l.t.Fatalf("a client got %q, %v; the log:\n%s", said, err, l.lastLines())
	}
	pid, _ := strconv.Atoi(match[1])
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // it may have ended by now
	_, rest, _ := strings.Cut(string(stat), ") ")
	state, parent := "", 0
	_, _ = fmt.Sscan(rest, &state, &parent)
	if parent == l.cmd.Process.Pid {
		return pid
	}
	return parent
}

// stream has four clients at a time for each worker that there may be until its
// end is asked for, and wants them all served.
func (l *life) stream() (ends func()) {
	var clients sync.WaitGroup
	done := make(chan struct{})
	for range 4 * ceiling {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if said, err := l.ask(l.daemon, l.port, true); err != nil || !strings.Contains(said, "served by ") {
					l.t.Errorf("a reload lost a client: it got %q, %v; the log:\n%s", said, err, l.lastLines())
					return
				}
			}
		})
	}
	return func() {
		close(done)
		clients.Wait()
	}
}

// idleWord is what a program that tells writes after it has told that it is idle.
const idleWord = ": idle again"

// crash kills a worker that has served a client. That is told, and is no reason
// to hold back the next one.
func (l *life) crash() {
	l.eventually("a crash is told", func() bool {
		if strings.Contains(l.said(), "killed by signal 9") {
			return true
		}
		l.killAfterService()
		return false
	})
	l.served("the client after the crash")
	if strings.Contains(l.said(), "no worker is born for ") {
		l.t.Errorf("the end of a worker that had served was taken for a failed start:\n%s", l.lastLines())
	}
	l.counted(0)
}

// killAfterService kills the worker that has served the last client and is known
// to have done so, and waits until it is buried.
func (l *life) killAfterService() {
	l.counted(0)
	if pid := l.whoServes(); l.tells {
		told := regexp.MustCompile(fmt.Sprintf(`web\[%d\] \d+%s`, pid, idleWord))
		l.eventually("the worker is idle again", func() bool { return told.MatchString(l.said()) })
	} else { // the queue is looked at now and then, and tells that clients are taken
		for seen := time.Now().Add(600 * time.Millisecond); time.Now().Before(seen); {
			l.served("another client before the crash")
		}
	}
	if w := l.workers(); len(w) == 1 { // by now it may be about to leave anyway, which is no news
		// With what it has made: that would take one more client, and then see that
		// it has no parent.
		_ = syscall.Kill(-w[0], syscall.SIGKILL)
		l.eventually("it is buried", func() bool { return syscall.Kill(w[0], 0) != nil })
	}
}

// breakAndMend has the program crash at birth, and a client wait meanwhile. The
// births are held back ever longer, one probe is tried after each wait, and the
// client is served once the program is mended. One that takes longer than
// backoff.max to crash would count as one that has lived, so that is far above
// what a program needs for it on a slow machine.
func (l *life) breakAndMend() {
	l.configure(strings.Replace(l.toml, `max = "1s"`, `max = "60s"`, 1))
	l.reload()
	path := filepath.Join(l.dir, l.breaks)
	if err := os.Rename(path, path+".away"); err != nil {
		l.t.Fatal(err)
	}
	l.counted(0)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for {
			said, err := l.ask(l.daemon, l.port, false)
			if err == nil && strings.Contains(said, "served by ") {
				return
			}
			if !l.single { // by inetd, a client is lost with its worker
				l.t.Errorf("the client that waited got %q, %v", said, err)
				return
			}
		}
	}()
	for _, wait := range []string{"0.2s", "0.4s", "0.8s"} {
		l.logged("no worker is born for " + wait)
	}
	if n := strings.Count(l.said(), "births are allowed again"); n < 2 {
		l.t.Errorf("%d probes before the third wait, want 2", n)
	}
	if err := os.Rename(path+".away", path); err != nil {
		l.t.Fatal(err)
	}
	select {
	case <-answered:
	case <-time.After(await.Patience):
		l.t.Fatalf("nobody serves though the program is mended; the log:\n%s", l.lastLines())
	}
	l.served("the next client")
}
