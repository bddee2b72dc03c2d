package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
)

func init() { parts["serve-short"] = serveShort }

// serveShort is a daemon that does what it is told on its standard input, a word
// a line: "fill" uses up all descriptors, "rob" also the one in reserve, as a part
// of the daemon does that is faster than accept, "free" gives them back.
func serveShort(args []string) int {
	limit := unix.Rlimit{Cur: 64, Max: 64}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := Listen(args[0], Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s.times.shortage = 200 * time.Millisecond
	if s.times.reserve, err = time.ParseDuration(args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s.Serve(&handler{})
	var hoard []int
	for words := bufio.NewScanner(os.Stdin); words.Scan(); fmt.Println("done") {
		switch words.Text() {
		case "fill":
			hoard = fill(hoard)
		case "rob":
			s.mu.Lock()
			s.reserve.Close()
			s.reserve = nil
			hoard = fill(hoard)
			s.mu.Unlock()
		case "free":
			for _, fd := range hoard {
				unix.Close(fd)
			}
			hoard = nil
		}
	}
	s.Close()
	return 0
}

// fill takes all descriptors that there are.
func fill(hoard []int) []int {
	for {
		fd, err := unix.Open("/dev/null", unix.O_CLOEXEC, 0)
		if err != nil {
			return hoard
		}
		hoard = append(hoard, fd)
	}
}

// daemon is a server in a process of its own.
type daemon struct {
	t       *testing.T
	path    string
	pid     int
	process *os.Process
	tell    func(word string)
}

// startDaemon starts one that waits for so long for a client in the reserve to
// speak. Ours are sent away as well if they are stopped for longer than that.
func startDaemon(t *testing.T, reserve time.Duration) *daemon {
	t.Helper()
	d := &daemon{t: t, path: filepath.Join(openDirectory(t), "control")}
	cmd, stdin, answers := play(t, "serve-short", d.path, reserve.String())
	d.pid, d.process = cmd.Process.Pid, cmd.Process
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	d.tell = func(word string) {
		t.Helper()
		if _, err := fmt.Fprintln(stdin, word); err != nil {
			t.Fatal(err)
		}
		if line, err := answers.ReadString('\n'); line != "done\n" {
			t.Fatalf("%s: %q, %v", word, line, err)
		}
	}
	d.tell("nothing") // it listens now
	return d
}

// ask makes a connection of its own for one request.
func (d *daemon) ask(ctx context.Context, req Request) error {
	c, err := Dial(ctx, d.path)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Do(ctx, req, nil)
}

// files are what the daemon's descriptors are, and how many are the same.
func (d *daemon) files() map[string]int {
	all := map[string]int{}
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", d.pid))
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil {
			all[at]++
		}
	}
	return all
}

// twice is how many sockets the daemon has two descriptors of.
func (d *daemon) twice() (n int) {
	for at, count := range d.files() {
		if strings.HasPrefix(at, "socket:") && count == 2 {
			n++
		}
	}
	return n
}

// used is the processor time of the daemon so far.
func (d *daemon) used() time.Duration {
	d.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.pid))
	if err != nil {
		d.t.Fatal(err)
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')'):])
	ticks := 0
	for _, field := range fields[12:14] { // utime and stime of proc(5)
		n, err := strconv.Atoi(string(field))
		if err != nil {
			d.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

// turns is how often a thread of the daemon went to sleep so far.
func (d *daemon) turns() (n int) {
	d.t.Helper()
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", d.pid))
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		_, count, found := bytes.Cut(text, []byte("\nvoluntary_ctxt_switches:"))
		if err != nil || !found {
			d.t.Fatalf("%s: %v", thread, err)
		}
		count, _, _ = bytes.Cut(count, []byte("\n"))
		one, err := strconv.Atoi(string(bytes.TrimSpace(count)))
		if err != nil {
			d.t.Fatal(err)
		}
		n += one
	}
	return n
}

// TestNoDescriptorFree: with none free, a hundred clients get their answers.
func TestNoDescriptorFree(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, await.Patience)
	d.tell("fill")
	if _, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/63", d.pid)); err != nil {
		t.Fatalf("not all descriptors are used: %v", err)
	}
	d.askMany()
	eventually(t, "the descriptor of the last client is the reserve, a copy of the listener", func() bool { return d.twice() == 1 })
	err := d.ask(within(t, await.Patience), Request{Do: VerbEvents, Follow: true})
	if codeOf(err) != Unavailable {
		t.Errorf("follow would keep the last descriptor: %v", err)
	}
	one := dialRaw(t, d.path)
	one.say(strings.Repeat(`{"v":1,"do":"hello"}`+"\n", 2))
	one.hear("admin")
	one.hearEnd()
	d.tell("free")
	d.tell("fill")
	d.askMany()
}

// TestNoDescriptorFreeForTheSilent: with none free, who says nothing is in the way
// of others for a while, and costs no processor time.
func TestNoDescriptorFreeForTheSilent(t *testing.T) {
	t.Parallel()
	const reserve = 2 * time.Second
	d := startDaemon(t, reserve)
	d.tell("fill")
	cpu, began := d.used(), time.Now()
	for range 3 {
		dialRaw(t, d.path)
	}
	if err := d.ask(within(t, await.Patience), Request{Do: VerbHello}); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	if took < 2*reserve {
		t.Errorf("three that say nothing were in the way for %s only; were descriptors free?", took)
	}
	if cpu = d.used() - cpu; cpu > took/4 {
		t.Errorf("the daemon used %s in %s of waiting for them", cpu, took)
	}
}

// askMany has a hundred requests answered, ten at a time.
func (d *daemon) askMany() {
	d.t.Helper()
	var group sync.WaitGroup
	began := time.Now()
	defer func() { d.t.Logf("a hundred requests took %s", time.Since(began)) }()
	for range 10 {
		group.Go(func() {
			for range 10 {
				if err := d.ask(within(d.t, await.Patience), Request{Do: VerbPicture}); err != nil {
					d.t.Errorf("without a free descriptor: %v", err)
				}
			}
		})
	}
	group.Wait()
}

// TestReserveLost: another part of the daemon that takes every descriptor can
// also get the one in reserve. It costs no processor time, and ends by itself
// once descriptors are free.
func TestReserveLost(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, await.Patience)
	d.tell("rob")
	began, cpu := time.Now(), d.used()
	if err := d.ask(within(t, time.Second), Request{Do: VerbHello}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a descriptor there is no answer: %v", err)
	}
	if cpu, took := d.used()-cpu, time.Since(began); cpu > took/4 {
		t.Errorf("the daemon used %s in %s", cpu, took)
	}
	d.tell("free")
	eventually(t, "there is a reserve again, although nobody asks", func() bool { return d.files()["/"] == 1 })
	d.tell("fill")
	d.askMany()
}

// TestReserveLookedFor: one that could not be had is looked for again, although
// nobody asks.
func TestReserveLookedFor(t *testing.T) {
	s, err := Listen(openDirectory(t)+"/control", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.times.shortage = 100 * time.Millisecond
	s.reserve.Close()
	s.reserve = nil
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := unix.Rlimit{Cur: 3, Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	s.Serve(&handler{})
	stacks := make([]byte, 1<<16)
	eventually(t, "it waits for clients", func() bool {
		for stack := range bytes.SplitSeq(stacks[:runtime.Stack(stacks, true)], []byte("\n\n")) {
			if bytes.Contains(stack, []byte("[IO wait")) && bytes.Contains(stack, []byte("(*Server).accept(")) {
				return true
			}
		}
		return false
	})
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is a reserve", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.reserve != nil
	})
}

// TestRest: a server that nobody asks does nothing, with descriptors or without.
func TestRest(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, await.Patience)
	for _, word := range []string{"nothing", "fill"} {
		d.tell(word)
		if err := d.ask(within(t, await.Patience), Request{Do: VerbHello}); err != nil {
			t.Fatal(err)
		}
		// The runtime's own threads go to sleep one after the other.
		least := 1 << 30
		eventually(t, "at rest after "+word, func() bool {
			before := d.turns()
			<-time.After(time.Second) // the span that is measured
			least = min(least, d.turns()-before)
			return least == 0
		})
	}
}

// TestStopped: a daemon that a signal has stopped is told from one that is slow,
// and one that ends from both.
func TestStopped(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, await.Patience)
	c := client(t, d.path)
	if err := d.process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "stopped", func() bool { return stateOf(int32(d.pid)) == 'T' })
	err := c.Do(within(t, 50*time.Millisecond), Request{Do: VerbHello}, nil)
	if want := fmt.Sprintf("brood (pid %d) is stopped by a signal and did not answer for ", d.pid); !contains(err, want) ||
		!contains(err, fmt.Sprintf("let it go on with kill -CONT %d", d.pid)) {
		t.Errorf("stopped: %v", err)
	}
	if again := c.Do(within(t, await.Patience), Request{Do: VerbHello}, nil); again != err {
		t.Errorf("a client that is of no more use: %v", again)
	}
	if err := d.process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c = client(t, d.path)
	if err := c.Do(within(t, await.Patience), Request{Do: VerbHello}, nil); err != nil {
		t.Errorf("continued: %v", err)
	}
	err = c.follow(within(t, await.Patience), func() { d.process.Kill() })
	if !contains(err, "before it answered: unexpected EOF") && !contains(err, "connection reset") {
		t.Errorf("killed: %v", err)
	}
	// The kernel may close the socket before it counts the process as dead.
	if !contains(err, fmt.Sprintf("brood (pid %d) has ended", d.pid)) && !contains(err, "brood hung up") {
		t.Errorf("killed: %v", err)
	}
}
