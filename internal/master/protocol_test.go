package master

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/ports"
)

func TestInetdHasOneWorkerForEachClient(t *testing.T) {
	s := nativeOf(t, "echo", "inetd", plan.ProtocolInetd, pool.Policy{Limit: 2, Single: true, Ramp: 4})
	s.Endpoints = []plan.Endpoint{{Network: plan.NetTCP, Addr: "127.0.0.1", Port: freePort(t), Backlog: 100}}
	w := startNative(t, planOf(s))
	dial := func() net.Conn {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Endpoints[0].Port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	a, b := dial(), dial()
	first, second := w.answer(a), w.answer(b)
	if first[0] == second[0] {
		t.Errorf("%s has two clients", first[0])
	}
	if host, port, _ := net.SplitHostPort(a.LocalAddr().String()); first[1] != host || first[2] != port {
		t.Errorf("the client %s is told as %q", a.LocalAddr(), first[1:])
	}
	waiting := dial()
	w.logged(0, "all 2 workers are there")
	w.eventually("the third client waits", func() bool {
		var n int32
		w.call(func() { n = w.m.waitingAll(w.m.services["echo"]) })
		return n == 1
	})
	a.Close()
	w.answer(waiting)
	w.wrote(s, "a client")
	w.gone(first[0])
}

// freePort is a TCP and UDP port that nobody has now.
func freePort(t *testing.T) uint32 {
	t.Helper()
	return uint32(ports.Free(t))
}

func TestInetdDatagramsHaveOneWorkerWhileTheyCome(t *testing.T) {
	s := nativeOf(t, "echo", "datagram", plan.ProtocolInetd, pool.Policy{Limit: 1})
	s.Endpoints = []plan.Endpoint{{Network: plan.NetUDP, Addr: "127.0.0.1", Port: freePort(t)}}
	w := startNative(t, planOf(s))
	c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", s.Endpoints[0].Port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func(text string) string {
		t.Helper()
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(await.Patience))
		b := make([]byte, 100)
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		pid, rest, _ := strings.Cut(string(b[:n]), " ")
		if rest != text {
			t.Errorf("%q was answered by %q", text, b[:n])
		}
		return pid
	}
	pid := ask("one")
	w.gone(pid) // it leaves when there is nothing to do
	if again := ask("two"); again == pid {
		t.Errorf("%s answered after its end", pid)
	}
}

// TestASilentPoolGrowsWhenClientsWait has workers that tell nothing: two clients
// at once have two workers, but only once the second has waited.
func TestASilentPoolGrowsWhenClientsWait(t *testing.T) {
	const wait = 500 * time.Millisecond
	policy := pool.Policy{Limit: 3, Opaque: true, Wait: pool.Duration(wait), Idle: pool.Second / 2, Ramp: 4}
	w := startNative(t, planOf(nativeOf(t, "web", "silent", plan.ProtocolNone, policy)))
	a := w.connect("web")
	first := w.answer(a)
	// Clients that follow each other without a gap count as one that waits, which
	// they do where the machine stands still for a while.
	began, calm := time.Now(), true
	for range 20 {
		a.Close()
		a = w.connect("web")
		got := w.answer(a)
		if calm = time.Since(began) < wait; calm && got[0] != first[0] {
			t.Fatalf("%s answered, %s was free", got[0], first[0])
		}
		first = got
	}
	w.eventually("the queue was seen empty", func() (seen bool) {
		w.call(func() { seen = w.m.services["web"].watched })
		return seen
	})
	began = time.Now()
	b := w.connect("web")
	second := w.answer(b)
	if waited := time.Since(began); second[0] == first[0] || calm && waited < wait*3/4 {
		t.Errorf("%s answered after %s, %s before", second[0], waited, first[0])
	}
	a.Close()
	b.Close()
	w.eventually("the pool is empty again", func() bool { v := w.view("web"); return v.Available+v.Leaving == 0 })
}

// TestASecondClientOfAnEmptyPool comes while the first worker is being born, and
// is not left to that one until its start may be over.
func TestASecondClientOfAnEmptyPool(t *testing.T) {
	policy := pool.Policy{Limit: 3, Opaque: true, Wait: 200 * pool.Millisecond, StartTimeout: 3600 * pool.Second, Ramp: 4}
	w := startNative(t, planOf(nativeOf(t, "web", "silent", plan.ProtocolNone, policy)))
	a, b := w.connect("web"), w.connect("web")
	if first, second := w.answer(a), w.answer(b); first[0] == second[0] {
		t.Errorf("%s has two clients", first[0])
	}
}

func TestFastCGIAndTheDescriptorOfNone(t *testing.T) {
	script := `for i in 0 3 4 5 6 7 8; do [ -e /proc/$$/fd/$i ] && echo $i $(readlink /proc/$$/fd/$i); done >&2; echo end >&2; exec sleep 100`
	web := nativeOf(t, "web", "", plan.ProtocolNone, pool.Policy{Limit: 1, Opaque: true})
	web.Wishes.FD = 7
	cgi := nativeOf(t, "cgi", "", plan.ProtocolFastCGI, pool.Policy{Limit: 1, Opaque: true})
	for _, s := range []*plan.Service{web, cgi} {
		s.Command.Path, s.Command.Args = "/bin/sh", []string{"sh", "-c", script}
	}
	w := startNative(t, planOf(web, cgi))
	w.connect("web")
	w.connect("cgi")
	for s, want := range map[*plan.Service]string{web: "0 /dev/null|7 socket:", cgi: "0 socket:"} {
		var got []string
		for line := range strings.Lines(w.wrote(s, ": end\n")) {
			_, text, _ := strings.Cut(line, ": ")
			if text, _, _ = strings.Cut(text, "["); text != "end\n" {
				got = append(got, strings.TrimSpace(text))
			}
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s has %q, want %s", s.Name, got, want)
		}
	}
}

func TestSurroundings(t *testing.T) {
	s := nativeOf(t, "web", "", plan.ProtocolNone, pool.Policy{Limit: 1, Opaque: true})
	s.Command.Path, s.Command.Args = "/bin/sh", []string{
		"sh", "-c",
		`echo "$(id -u):$(id -g):$(id -G) $(ulimit -n) $(umask) $$ $(ps -o pgid= $$)" >&2; exec sleep 100`,
	}
	s.Wishes.Limits = []plan.Limit{{Resource: unix.RLIMIT_NOFILE, Soft: 77, Hard: 88}}
	s.Command.Umask = 0o27
	s.Wishes.Account = &plan.Account{UID: 12, GID: 13, GIDs: []int{13, 14}}
	w := startNative(t, planOf(s))
	w.connect("web")
	text := w.wrote(s, "\n")
	_, text, _ = strings.Cut(text, ": ")
	f := strings.Fields(text)
	if got := strings.Join(f[:len(f)-2], " "); got != "12:13:13 14 77 0027" || f[len(f)-1] != f[len(f)-2] {
		t.Errorf("it is born as %q", text)
	}
}

func TestLastWordsAreTold(t *testing.T) {
	s := systemdOf(t, "web", "crash-loudly", pool.Policy{Limit: 1, Backoff: pool.Backoff{First: pool.Second, Tries: 2}})
	w := startNative(t, planOf(s))
	waiting := w.connect("web")
	from := w.logged(0, "no worker is born for 1s")
	if line := w.lines[from-1]; !strings.Contains(line, "exit status 9") || !strings.Contains(line, "last words: the database is gone") {
		t.Errorf("logged %s", line)
	}
	w.logged(from, "gave up after 2 failed births in a row")
	// A reload with a mended service serves whoever waits.
	w.propose(systemdOf(t, "web", "systemd", pool.Policy{Limit: 1, Backoff: pool.Backoff{First: pool.Second, Tries: 2}}))
	w.answer(waiting)
}

func TestGiveUpClosesOrExits(t *testing.T) {
	policy := pool.Policy{Limit: 1, Backoff: pool.Backoff{First: pool.Second / 10, Tries: 1}}
	closes := systemdOf(t, "closes", "crash-loudly", policy)
	closes.Wishes.OnGiveUp = plan.GiveUpClose
	exits := systemdOf(t, "exits", "crash-loudly", policy)
	exits.Wishes.OnGiveUp = plan.GiveUpExit
	w := startNative(t, planOf(closes, exits))
	w.connect("closes")
	w.logged(0, "gave up after 1")
	w.eventually("clients are refused", func() bool {
		c, err := net.Dial("unix", filepath.Join(w.dir, "closes"))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	w.connect("exits")
	w.stopped()
	if !w.m.Failed() {
		t.Error("it has not failed")
	}
}

func TestAGentleEnd(t *testing.T) {
	s := systemdOf(t, "web", "systemd", pool.Policy{Limit: 3})
	w := startNative(t, planOf(s))
	busy, free := w.connect("web"), w.connect("web")
	pid, other := w.answer(busy)[0], w.answer(free)[0]
	free.Close()
	w.eventually("one is free", func() bool { return w.view("web").Available == 1 })
	w.m.signals <- syscall.SIGTERM
	w.logged(0, "workers may finish their clients")
	w.gone(other)
	if n, _ := strconv.Atoi(pid); syscall.Kill(n, 0) != nil {
		t.Error("the worker with a client was ended")
	}
	if _, err := net.Dial("unix", filepath.Join(w.dir, "web")); err == nil {
		t.Error("clients are still taken")
	}
	busy.Close()
	w.stopped()
	w.gone(pid)
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	w := startNative(t, planOf(systemdOf(t, "web", "systemd", pool.Policy{Limit: 3})))
	pid := w.answer(w.connect("web"))[0]
	w.m.signals <- syscall.SIGTERM
	w.logged(0, "workers may finish their clients")
	w.m.signals <- syscall.SIGTERM
	w.stopped()
	w.gone(pid)
}

func TestReloadReplacesOnlyWhatHasChanged(t *testing.T) {
	policy := pool.Policy{Limit: 1} // so that one worker serves both clients
	w := startNative(t, planOf(systemdOf(t, "same", "systemd", policy), systemdOf(t, "other", "systemd", policy)))
	a, b := w.connect("same"), w.connect("other")
	same, other := w.answer(a)[0], w.answer(b)[0]
	a.Close()
	b.Close()
	changed := systemdOf(t, "other", "systemd", policy)
	changed.Command.Env = append(changed.Command.Env, "NEW=1")
	larger := systemdOf(t, "same", "systemd", pool.Policy{Limit: 9})
	w.propose(larger, changed)
	w.logged(0, "reload -- test")
	w.gone(other)
	if v := w.view("same"); v.Limit != 9 {
		t.Errorf("the limit is %d", v.Limit)
	}
	w.eventually("it has said that it is idle", func() bool { return w.view("same").Available == 1 })
	if got := w.answer(w.connect("same"))[0]; got != same {
		t.Errorf("%s answered, %s need not have gone", got, same)
	}
	w.answer(w.connect("other"))
}

func TestOneBadListenerIsTriedAgain(t *testing.T) {
	good, bad := systemdOf(t, "good", "systemd", pool.Policy{Limit: 1}), systemdOf(t, "bad", "systemd", pool.Policy{Limit: 1})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := uint32(l.Addr().(*net.TCPAddr).Port)
	bad.Endpoints = []plan.Endpoint{{Network: plan.NetTCP, Addr: "127.0.0.1", Port: port, Backlog: 10}}
	bad.Wishes.ListenPos = []plan.Pos{{File: "brood.toml", Line: 5, Col: 11}}
	w := startNative(t, planOf(good, bad))
	w.logged(0, "brood.toml:5:11: service")
	w.logged(0, "it does not listen, the others do")
	w.answer(w.connect("good"))
	l.Close()
	w.logged(0, "it listens now")
	var d net.Dialer
	ctx, cancel := context.WithTimeout(context.Background(), await.Patience)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w.answer(c)
}

func TestAnEssentialListenerIsNeeded(t *testing.T) {
	s := systemdOf(t, "bad", "systemd", pool.Policy{})
	s.Wishes.Essential = true
	s.Endpoints = []plan.Endpoint{{Network: plan.NetUnix, Path: "/no/such/folder/x", UID: -1, GID: -1}}
	if _, err := New(Options{First: planOf(s), Gentle: true}); err == nil {
		t.Error("it starts without it")
	}
}

// TestMemoryIsMeasured has a worker replaced that is larger than it may be.
func TestMemoryIsMeasured(t *testing.T) {
	w := startNative(t, planOf(systemdOf(t, "web", "systemd", pool.Policy{Limit: 2, MaxMemory: 4096})))
	c := w.connect("web")
	pid := w.answer(c)[0]
	c.Close()
	w.logged(0, "is replaced because of max_memory")
	w.gone(pid)
}
