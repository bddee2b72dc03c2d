package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/plan"
)

// roleVariable turns the test binary into a worker that writes.
const roleVariable = "OUTPUT_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "flood": // so many bytes of lines
		write(bytes.Repeat([]byte(strings.Repeat("x", 99)+"\n"), 656))
	case "endless": // so many bytes and no newline
		write(bytes.Repeat([]byte{'y'}, 65536))
	}
}

// write writes a piece again and again, up to the bytes that the first argument
// asks for, and then one line more.
func write(piece []byte) {
	total, _ := strconv.Atoi(os.Args[1])
	for n := 0; n < total; n += len(piece) {
		if _, err := unix.Write(2, piece); err != nil {
			os.Exit(1)
		}
	}
	fmt.Fprint(os.Stderr, "\nthe end\n")
}

// worker runs a program with its output in a stream, and waits for its end.
func worker(t *testing.T, c *Collector, to plan.Output, env string, args ...string) *Stream {
	t.Helper()
	s, err := c.Open("web", 7, to)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(s.FD())
	if err != nil {
		t.Fatal(err)
	}
	pipe := os.NewFile(uintptr(fd), "pipe")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env)
	cmd.Stdout, cmd.Stderr = pipe, pipe
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = pipe.Close()
	if err := s.Born(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	s.Given()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the worker: %v", err)
	}
	return s
}

// file is an Output to a file of the test, and a reader of it that waits until
// something is true of its content.
func file(t *testing.T, to plan.Output) (plan.Output, func(what string, ok func(string) bool) string) {
	to.To = filepath.Join(t.TempDir(), "log")
	return to, func(what string, ok func(string) bool) string {
		t.Helper()
		var b []byte
		await.That(t, what, func() bool {
			b, _ = os.ReadFile(to.To)
			return ok(string(b))
		}, func() string { return fmt.Sprintf("the log:\n%s", b[:min(len(b), 4000)]) })
		return string(b)
	}
}

func has(text string) func(string) bool {
	return func(log string) bool { return strings.Contains(log, text) }
}

func TestLinesCarryServicePidAndGeneration(t *testing.T) {
	c := New()
	to, log := file(t, plan.Output{Keep: 3})
	s := worker(t, c, to, "", "sh", "-c", `echo one; printf 'two\033[2J\377\r\n' >&2; printf 'no newline'`)
	text := log("the last line", has("no newline"))
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, want := range []string{"one", "two?[2J?", "no newline"} {
		_, rest, _ := strings.Cut(lines[i], " ")
		if rest != fmt.Sprintf("web[%d] 7: %s", s.label.pid, want) {
			t.Errorf("line %d is %q", i, lines[i])
		}
	}
	if got := strings.Join(s.LastWords(), "|"); got != "one|two?[2J?|no newline" {
		t.Errorf("last words %q", got)
	}
}

// TestLinesCarryTheirOwnTime: a line that comes later within one span of the rate
// is later in the log, too.
func TestLinesCarryTheirOwnTime(t *testing.T) {
	c := New()
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c.now = func() time.Time {
		clock = clock.Add(50 * time.Millisecond)
		return clock
	}
	to, log := file(t, plan.Output{})
	s, err := c.Open("web", 7, to)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Given()
	if err := s.Born(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"one", "two"} {
		if _, err := unix.Write(s.FD(), []byte(line+"\n")); err != nil {
			t.Fatal(err)
		}
		log(line, has(line))
	}
	text := log("both", has("two"))
	first, rest, _ := strings.Cut(text, "\n")
	one, _, _ := strings.Cut(first, " ")
	two, _, _ := strings.Cut(rest, " ")
	if one >= two {
		t.Errorf("the second line is not later than the first:\n%s", text)
	}
}

func TestJSON(t *testing.T) {
	c := New()
	to, log := file(t, plan.Output{JSON: true})
	s := worker(t, c, to, "", "printf", `a"b\\\t\001\377é\n`)
	var line struct {
		Time       time.Time
		Service    string
		PID        int
		Generation int
		Line       string
	}
	if err := json.Unmarshal([]byte(log("a line", has("\n"))), &line); err != nil {
		t.Fatal(err)
	}
	if line.Service != "web" || line.PID != s.label.pid || line.Generation != 7 || line.Line != "a\"b\\\t\x01\ufffdé" || line.Time.IsZero() {
		t.Errorf("%+v", line)
	}
}

func TestNoLineIsLostBelowTheRateAndTheOthersAreCounted(t *testing.T) {
	c := New()
	to, log := file(t, plan.Output{Rate: 100, Keep: 2})
	s := worker(t, c, to, "", "seq", "1000")
	if got := strings.Join(s.LastWords(), " "); got != "999 1000" {
		t.Errorf("last words %q", got)
	}
	text := log("the count", has("lines were not logged: log.rate is 100 a second"))
	for i := range 100 {
		if !strings.Contains(text, fmt.Sprintf(": %d\n", i+1)) {
			t.Fatalf("line %d is lost", i+1)
		}
	}
	logged, lost := 0, 0
	for line := range strings.Lines(text) {
		var n int
		if _, rest, ok := strings.Cut(line, "web: "); ok {
			if _, err := fmt.Sscanf(rest, "%d lines were not logged", &n); err != nil {
				t.Fatal(err)
			}
			lost += n
			continue
		}
		logged++
	}
	if logged+lost != 1000 {
		t.Errorf("%d lines logged and %d counted as lost, of 1000", logged, lost)
	}
}

// TestFloodsTakeNoMemory has a worker write a quarter of a gigabyte, with
// newlines and without.
func TestFloodsTakeNoMemory(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"flood", "endless"} {
		c := New()
		to, _ := file(t, plan.Output{Rate: 1000, Keep: 10})
		before, began := heap(), time.Now()
		s := worker(t, c, to, roleVariable+"="+role, self, strconv.Itoa(1<<28))
		if words := s.LastWords(); len(words) != 10 || words[9] != "the end" {
			t.Errorf("%s: last words %q", role, words)
		}
		if grown := heap() - before; grown > 4<<20 {
			t.Errorf("%s: the heap has grown by %d bytes", role, grown)
		}
		spans := int64(time.Since(began)/rateSpan) + 2
		if st, err := os.Stat(to.To); err != nil || st.Size() > spans*1000*(lineMax+100) {
			t.Errorf("%s: the log: %v %v", role, st, err)
		}
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestLongLinesAreBroken(t *testing.T) {
	c := New()
	to, log := file(t, plan.Output{Keep: 1})
	s := worker(t, c, to, "", "sh", "-c", `head -c 20000 /dev/zero | tr '\0' z; echo; echo end`)
	text := log("the end", has(": end\n"))
	if n := strings.Count(text, "z"); n != 20000 {
		t.Errorf("%d bytes of 20000", n)
	}
	if n := strings.Count(text, "\n"); n != 4 {
		t.Errorf("%d lines, want 3 and the end", n)
	}
	_ = s
}

// TestAWorkerNeverWaits has nobody read where the lines go.
func TestAWorkerNeverWaits(t *testing.T) {
	c := New()
	to := plan.Output{To: filepath.Join(t.TempDir(), "fifo")}
	if err := unix.Mkfifo(to.To, 0o600); err != nil {
		t.Fatal(err)
	}
	// Somebody has it open, and does not read until later.
	reader, err := os.OpenFile(to.To, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	worker(t, c, to, "", "seq", "500000") // ends only if its output is taken
	lost := make(chan bool)
	go func() {
		var all []byte
		b := make([]byte, 1<<16)
		for {
			n, err := reader.Read(b)
			if all = append(all, b[:n]...); bytes.Contains(all, []byte("log lines were lost")) || err != nil {
				lost <- err == nil
				return
			}
		}
	}()
	select {
	case ok := <-lost:
		if !ok {
			t.Error("the loss is not told")
		}
	case <-time.After(await.Patience):
		t.Error("the loss is not told")
	}
}

func TestStreamsEnd(t *testing.T) {
	c := New()
	to, log := file(t, plan.Output{})
	worker(t, c, to, "", "echo", "first") // makes what stays
	log("a line", has("first"))
	before := descriptors(t)
	for range 20 {
		worker(t, c, to, "", "echo", "more")
	}
	s, err := c.Open("web", 8, to)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	await.That(t, fmt.Sprintf("no more than %d descriptors are open", before),
		func() bool { return descriptors(t) <= before },
		func() string { return fmt.Sprint("open: ", descriptors(t)) })
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.streams) != 0 {
		t.Errorf("%d streams are left", len(c.streams))
	}
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestCloseWritesWhatWaits(t *testing.T) {
	c := New()
	to, log := file(t, plan.Output{})
	w := c.Writer(to)
	for i := range 1000 {
		fmt.Fprintf(w, "line %d\n", i)
	}
	c.Close(await.Patience)
	b, err := os.ReadFile(to.To)
	if err != nil || !bytes.HasSuffix(b, []byte("line 999\n")) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	_ = log
}

func TestDatagrams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	g := &logger{path: path, fd: -1}
	defer g.close()
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	l := &label{service: "web", pid: 12, generation: 3}
	syslog := format(nil, plan.Output{To: plan.OutputSyslog, Facility: "local1"}, l, at, []byte("a\nb"))
	journal := format(nil, plan.Output{To: plan.OutputJournal, Facility: "daemon"}, l, at, []byte("c"))
	if n, err := g.send([][]byte{syslog, journal}); err != nil || n != 2 {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<142>Mar  4 05:06:07 web[12]: a?b",
		"MESSAGE=c\nPRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=web\nBROOD_SERVICE=web\nSYSLOG_PID=12\nBROOD_PID=12\nBROOD_GENERATION=3\n",
	} {
		b := make([]byte, 1000)
		n, err := conn.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Errorf("got %q, want %q (%v)", b[:n], want, err)
		}
	}
	if _, err := (&logger{path: path + ".none", fd: -1}).send([][]byte{syslog}); err == nil {
		t.Error("nobody listens, and it was sent")
	}
}

// TestAFullDiskTearsNoLine fills a disk in the middle of a line and makes room
// again: every line in the file is whole, or ends where the disk was full, and
// the loss is counted exactly.
func TestAFullDiskTearsNoLine(t *testing.T) {
	if testing.Short() {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=16k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 8<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	to := plan.Output{To: filepath.Join(dir, "log")}
	c := New()
	w := c.Writer(to).(*sink)
	rest := func() {
		t.Helper()
		select {
		case <-w.idle():
		case <-time.After(await.Patience):
			t.Fatal("it does not come to an end")
		}
	}
	const lines = 200
	for i := range lines {
		fmt.Fprintf(w, "line %d %s\n", i, strings.Repeat("x", 60))
	}
	rest()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(w, "room again")
	rest()
	b, err := os.ReadFile(to.To)
	if err != nil {
		t.Fatal(err)
	}
	whole, lost := 0, 0
	for line := range strings.Lines(string(b)) {
		switch _, notice, _ := strings.Cut(line, "brood: "); {
		case strings.HasPrefix(line, "line ") && strings.Count(line, "x") == 60:
			whole++
		case notice != "":
			if _, err := fmt.Sscanf(notice, "%d log lines were lost", &lost); err != nil {
				t.Error(err)
			}
		case strings.HasPrefix(line, "line "), line == "room again\n":
		default:
			t.Errorf("the line %q", line)
		}
	}
	if whole == 0 || whole+lost != lines || !strings.Contains(string(b), "\nroom again\n") {
		t.Errorf("%d lines are whole and %d counted as lost, of %d", whole, lost, lines)
	}
}

func TestTroubleIsToldOnce(t *testing.T) {
	c := New()
	told := make(chan string, 10)
	c.Trouble = func(to string, err error) { told <- to + ": " + err.Error() }
	to := plan.Output{To: filepath.Join(t.TempDir(), "none", "log")}
	w := c.Writer(to).(*sink)
	for range 3 {
		fmt.Fprintln(w, "a line")
		<-w.idle()
	}
	if got, want := <-told, to.To+": cannot open "+to.To+": no such file or directory"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	select {
	case again := <-told:
		t.Errorf("told again: %s", again)
	default:
	}
}

// TestProcessesLeftBehindTakeFewDescriptors has far more workers end than are
// read from afterwards, each with a process behind that holds its output.
func TestProcessesLeftBehindTakeFewDescriptors(t *testing.T) {
	c := New()
	to, log := file(t, plan.Output{})
	var held []*os.File
	for i := range 3 * orphansMost {
		s, err := c.Open("web", uint32(i), to)
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Dup(s.FD())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, os.NewFile(uintptr(fd), "held"))
		if err := s.Born(1000 + i); err != nil {
			t.Fatal(err)
		}
		s.Given()
		if _, err := fmt.Fprintf(held[i], "last of %d", i); err != nil {
			t.Fatal(err)
		}
		s.Died()
	}
	log("the first is given up", has("that of worker 1000 is read no more"))
	log("what it had begun", has("web[1000] 0: last of 0\n"))
	c.mu.Lock()
	left := len(c.streams)
	c.mu.Unlock()
	if left != orphansMost {
		t.Errorf("%d streams are left", left)
	}
	for _, f := range held {
		_ = f.Close()
	}
	log("the last of all", has(fmt.Sprintf("last of %d\n", 3*orphansMost-1)))
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.accounts["web"].orphans); n != 0 {
		t.Errorf("%d orphans are left", n)
	}
}
