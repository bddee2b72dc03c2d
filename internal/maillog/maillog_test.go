package maillog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
)

// listener is a syslog daemon of our own.
type listener struct{ conn *net.UnixConn }

func listenAt(t *testing.T, path string) *listener {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &listener{conn: c}
}

// next is the next line.
func (l *listener) next(t *testing.T) string {
	t.Helper()
	buf := make([]byte, 8192)
	_ = l.conn.SetReadDeadline(time.Now().Add(await.Patience))
	n, err := l.conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func (l *listener) leave(t *testing.T, path string) {
	t.Helper()
	l.conn.Close()
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

func record(l slog.Level, text string, args ...any) slog.Record {
	r := slog.NewRecord(time.Date(2026, time.March, 4, 5, 6, 7, 0, time.Local), l, text, 0)
	r.Add(args...)
	return r
}

// say hands one line to a handler, and holds it to not blocking: the bound is
// far above what a loaded machine needs and far below any wait of the kernel's.
func say(t *testing.T, h slog.Handler, l slog.Level, text string) error {
	t.Helper()
	start := time.Now()
	err := h.Handle(context.Background(), record(l, text))
	if d := time.Since(start); d > 20*time.Second {
		t.Fatalf("logging took %v", d)
	}
	return err
}

func wantLine(t *testing.T, got, pattern string) {
	t.Helper()
	if !regexp.MustCompile("^(?s:" + pattern + ")$").MatchString(got) {
		t.Fatalf("got  %q\nwant %s", got, pattern)
	}
}

func TestSyslogLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := listenAt(t, path)
	h := NewSyslog(path, Mail, "postfix/master")
	defer h.Close()
	for _, c := range []struct {
		level slog.Level
		want  string
	}{
		{Verbose, "<22>Mar  4 05:06:07 postfix/master[%d]: text"},
		{Info, "<22>Mar  4 05:06:07 postfix/master[%d]: text"},
		{Warning, "<20>Mar  4 05:06:07 postfix/master[%d]: warning: text"},
		{Error, "<19>Mar  4 05:06:07 postfix/master[%d]: error: text"},
		{Fatal, "<18>Mar  4 05:06:07 postfix/master[%d]: fatal: text"},
		{Panic, "<18>Mar  4 05:06:07 postfix/master[%d]: panic: text"},
	} {
		if err := say(t, h, c.level, "text"); err != nil {
			t.Fatal(err)
		}
		if got, want := l.next(t), fmt.Sprintf(c.want, os.Getpid()); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

func TestSyslogComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	h := NewSyslog(path, Mail, "postfix/master")
	defer h.Close()
	_ = say(t, h, Info, "before there is one")
	l := listenAt(t, path)
	wantLine(t, l.next(t), ".*before there is one")
	_ = say(t, h, Info, "while there is one")
	wantLine(t, l.next(t), ".*while there is one")
	l.leave(t, path)
	_ = say(t, h, Info, "while it restarts")
	_ = say(t, h, Info, "while it still restarts")
	l = listenAt(t, path)
	wantLine(t, l.next(t), ".*while it restarts")
	wantLine(t, l.next(t), ".*while it still restarts")
	if n := h.Pending(); n != 0 {
		t.Errorf("%d lines wait", n)
	}
}

// A syslog daemon that is alive and does not read must not stop us; what it
// can't take is bounded and counted.
func TestSyslogThatDoesNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := listenAt(t, path)
	h := NewSyslog(path, Mail, "postfix/master")
	defer h.Close()
	said := 0
	for h.Pending() < pendingMax {
		if err := say(t, h, Info, fmt.Sprint("line ", said)); err != nil {
			t.Fatal(err)
		}
		said++
	}
	for range 7 {
		if err := say(t, h, Info, fmt.Sprint("line ", said)); err == nil {
			t.Fatal("a dropped line was not reported")
		}
		said++
	}
	if h.Pending() != pendingMax {
		t.Fatalf("%d lines wait", h.Pending())
	}
	taken := said - pendingMax - 7
	for i := range taken {
		wantLine(t, l.next(t), fmt.Sprint(".*: line ", i))
	}
	wantLine(t, l.next(t), "<20>.*: warning: 7 log lines were lost: nobody read "+path)
	for i := taken + 7; i < said; i++ {
		wantLine(t, l.next(t), fmt.Sprint(".*: line ", i))
	}
}

func TestWhatWaitsCanBeRescued(t *testing.T) {
	h := NewSyslog(filepath.Join(t.TempDir(), "log"), Mail, "postfix/master")
	defer h.Close()
	_ = say(t, h, Fatal, "nobody hears me")
	var b bytes.Buffer
	h.Rescue(&b)
	wantLine(t, b.String(), "<18>.*fatal: nobody hears me\n")
	if h.Pending() != 0 {
		t.Error("it still waits")
	}
}

func TestPostlog(t *testing.T) {
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "postlog"), filepath.Join(dir, "maillog")
	h := NewPostlog(socket, file, "mx.example.org", "postfix/master")
	defer h.Close()
	_ = say(t, h, Info, "nobody there yet")
	l := listenAt(t, socket)
	_ = say(t, h, Warning, "somebody there")
	want := fmt.Sprintf("Mar 04 05:06:07 mx postfix/master[%d]: warning: somebody there", os.Getpid())
	if got := l.next(t); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	l.leave(t, socket)
	_ = say(t, h, Info, "gone again")
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wantLine(t, string(got), `Mar 04 .*nobody there yet\nMar 04 .*gone again\n`)
}

// postlogd may be slow to start: what it can't take yet ends in the file when
// we leave.
func TestPostlogThatIsNeverRead(t *testing.T) {
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "postlog"), filepath.Join(dir, "maillog")
	listenAt(t, socket)
	h := NewPostlog(socket, file, "mx", "postfix/master")
	for h.Pending() < 3 {
		_ = say(t, h, Info, "a line")
	}
	h.Close()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(got), "\n"); n != 3 {
		t.Errorf("the file has %d lines: %s", n, got)
	}
}

func TestFullDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "maillog")
	h := NewPostlog(file+".socket", "/dev/full", "mx", "postfix/master")
	defer h.Close()
	_ = say(t, h, Info, "no room")
	if h.Pending() != 1 {
		t.Fatalf("%d lines wait", h.Pending())
	}
	// Room again: the same handler, another file.
	h.mu.Lock()
	h.file = file
	h.mu.Unlock()
	h.Flush()
	got, _ := os.ReadFile(file)
	wantLine(t, string(got), ".*no room\n")
}

func TestFileIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	must(t, os.WriteFile(secret, nil, 0o600))
	for name, link := range map[string]func(from, to string) error{"symlink": os.Symlink, "hard link": os.Link} {
		file := filepath.Join(dir, name)
		must(t, link(secret, file))
		h := NewPostlog(filepath.Join(dir, "none"), file, "mx", "postfix/master")
		_ = say(t, h, Info, "a line")
		if h.Pending() != 1 {
			t.Errorf("%s: %d lines wait", file, h.Pending())
		}
		h.Close()
		must(t, os.Remove(file))
	}
	if b, _ := os.ReadFile(secret); len(b) != 0 {
		t.Errorf("the file now holds %q", b)
	}
}

func TestLongSocketPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	l := listenAt(t, "log")
	h := NewSyslog(filepath.Join(dir, "log"), Mail, "postfix/master")
	defer h.Close()
	_ = say(t, h, Info, "far away")
	wantLine(t, l.next(t), ".*far away")
}

func TestTextIsHarmless(t *testing.T) {
	got := string(appendText(nil, Warning, "a\x01b\nc\u00e9d\xe9e\x1b[31m\u009bf\ufffd"))
	if want := "warning: a?b?c\u00e9d?e?[31m?f\ufffd"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := appendText(nil, Fatal, strings.Repeat("x", 3000)); len(got) != len("fatal: ")+textMax {
		t.Errorf("%d bytes", len(got))
	}
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	h := NewText(&b).WithAttrs([]slog.Attr{slog.String("service", "smtp in")}).WithGroup("child")
	_ = h.Handle(context.Background(), record(Fatal, "it\ndied", "pid", 7, "why", ""))
	wantLine(t, b.String(), `2026-03-04T05:06:07\.000\S+ FATAL it\?died service="smtp in" child\.pid=7 child\.why=""`+"\n")
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	_ = NewJSON(&b).Handle(context.Background(), record(Panic, "broken\n", "level", slog.LevelInfo))
	var m map[string]any
	if err := json.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	if m["msg"] != "broken\n" || !strings.Contains(b.String(), `"level":"PANIC"`) {
		t.Error(b.String())
	}
}

func TestFanoutAndLevel(t *testing.T) {
	var a, b bytes.Buffer
	var level slog.LevelVar
	log := slog.New(NewLeveled(&level, Fanout(NewStderr(&a, "postfix/master"), NewText(&b))))
	log.Debug("hidden")
	level.Set(Verbose)
	log.Debug("shown", "n", 1)
	wantLine(t, a.String(), "postfix/master: shown\n")
	wantLine(t, b.String(), `\S+ DEBUG shown n=1\n`)
}

func TestFacilityByName(t *testing.T) {
	if f, ok := FacilityByName("local7"); f != 23 || !ok {
		t.Error(f, ok)
	}
	if _, ok := FacilityByName("nonesuch"); ok {
		t.Error("nonesuch is a facility")
	}
}

func TestAllowedFile(t *testing.T) {
	prefixes := []string{"/var", stdout}
	for file, want := range map[string]bool{"/var/log/mail": true, stdout: true, "/etc/x": false} {
		if AllowedFile(file, prefixes) != want {
			t.Errorf("%s: not %v", file, want)
		}
	}
}
