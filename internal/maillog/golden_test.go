package maillog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
)

// stock is a scratch instance of Debian's Postfix whose own master logs.
type stock struct{ dir, etc, queue string }

const (
	stockMaster = "/usr/lib/postfix/sbin/master"
	// hostile goes into lines: control characters, UTF-8, what is not UTF-8.
	hostile = "e\x01\n\u00e9\xe9x\x7f"
)

func newStock(t *testing.T, mainCf, masterCf string) *stock {
	t.Helper()
	s := &stock{dir: t.TempDir()}
	// The folders above are the mail owner's to pass.
	for d := s.dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		must(t, os.Chmod(d, 0o755))
	}
	s.etc, s.queue = filepath.Join(s.dir, "etc"), filepath.Join(s.dir, "q")
	owner, err := user.Lookup("postfix")
	must(t, err)
	uid, _ := strconv.Atoi(owner.Uid)
	for _, d := range []string{"etc", "q", "q/pid", "q/private", "q/public", "data"} {
		must(t, os.Mkdir(filepath.Join(s.dir, d), 0o755))
	}
	for _, d := range []string{"q/private", "q/public", "data"} {
		must(t, os.Chown(filepath.Join(s.dir, d), uid, -1))
	}
	mainCf = "compatibility_level = 3.6\nsyslog_name = scratch\nmyhostname = mx.example.org\n" +
		"inet_interfaces = 127.0.0.1\nqueue_directory = " + s.queue + "\ndata_directory = " + s.dir + "/data\n" + mainCf
	for name, text := range map[string]string{"main.cf": mainCf, "master.cf": masterCf} {
		path := filepath.Join(s.etc, name)
		must(t, os.WriteFile(path, []byte(text), 0o644))
		// A file that was just written makes Postfix wait.
		must(t, os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)))
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs the stock master with a /dev of its own, in which log is ours.
func (s *stock) start(t *testing.T, config string) (syslog *listener, pid int) {
	t.Helper()
	dev := filepath.Join(s.dir, "dev")
	must(t, os.Mkdir(dev, 0o755))
	syslog = listenAt(t, filepath.Join(dev, "log"))
	script := `cp -a /dev/null /dev/zero /dev/urandom "$1" && mount --bind "$1" /dev && exec "$2" -c "$3" -d`
	cmd := exec.Command("unshare", "-m", "sh", "-c", script, "sh", dev, stockMaster, config)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if out.Len() > 0 {
			t.Log(out.String())
		}
	})
	return syslog, cmd.Process.Pid
}

var (
	syslogStamp = regexp.MustCompile(`^(<\d+>)[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d `)
	fileStamp   = regexp.MustCompile(`^()[A-Z][a-z]{2} [0-3]\d \d\d:\d\d:\d\d `)
)

// sameLine compares a line of the stock master's with ours; the time and the
// process id are the only differences allowed.
func sameLine(t *testing.T, stamp *regexp.Regexp, theirs string, pid int, ours string) {
	t.Helper()
	norm := func(line string, pid int) string {
		if !stamp.MatchString(line) {
			t.Errorf("no time of the expected form in %q", line)
		}
		return strings.Replace(stamp.ReplaceAllString(line, "${1}TIME "), fmt.Sprintf("[%d]", pid), "[PID]", 1)
	}
	if got, want := norm(ours, os.Getpid()), norm(theirs, pid); got != want {
		t.Errorf("ours  %q\nstock %q", got, want)
	}
}

// logged is the line that a handler of ours writes to a listener of ours.
func logged(t *testing.T, l *listener, h slog.Handler, level slog.Level, text string) string {
	t.Helper()
	must(t, h.Handle(context.Background(), slog.NewRecord(time.Now(), level, text, 0)))
	return l.next(t)
}

func TestSyslogAsStock(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	for _, transport := range []string{"unix\x01\u00e9\xe9\x1b[31mbad", strings.Repeat("y", 30000)} {
		s := newStock(t, "", "ux "+transport+" - - n - 1 srv\n")
		l, pid := s.start(t, s.etc)
		theirs := l.next(t)
		path := filepath.Join(t.TempDir(), "log")
		h := NewSyslog(path, Mail, "postfix/master")
		defer h.Close()
		text := s.etc + "/master.cf: line 1: bad transport type: " + transport
		sameLine(t, syslogStamp, theirs, pid, logged(t, listenAt(t, path), h, Fatal, text))
	}
}

func TestPostlogAsStock(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	s := newStock(t, "", "dg unix-dgram n - n 1 1 srv\n")
	file := filepath.Join(s.dir, "maillog")
	appendMainCf(t, s, "maillog_file = "+file+"\nmaillog_file_prefixes = /\n")
	strange := filepath.Join(s.dir, hostile)
	must(t, os.Symlink(s.etc, strange))
	socket := filepath.Join(s.queue, "public", "postlog")
	l := listenAt(t, socket)
	must(t, os.Chmod(socket, 0o666))
	_, pid := s.start(t, strange)

	h := NewPostlog(filepath.Join(s.dir, "ours"), file, "mx.example.org", "scratch/master")
	defer h.Close()
	ours := listenAt(t, filepath.Join(s.dir, "ours"))
	version := regexp.MustCompile(`version \S+,`)
	// The order of the two lines is the stock master's own affair.
	for range 2 {
		theirs := l.next(t)
		level, text := Info, "daemon started -- "+version.FindString(theirs)+" configuration "+strange
		if strings.Contains(theirs, "warning") {
			level, text = Warning, "master_wakeup_timer_event: service dg(public/dg): Operation not supported"
		}
		sameLine(t, fileStamp, theirs, pid, logged(t, ours, h, level, text))
	}
}

func TestFileAsStock(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	s := newStock(t, "", "ux unix - - n - 1 srv\n")
	file, mine := filepath.Join(s.dir, "maillog"), filepath.Join(s.dir, "ours")
	appendMainCf(t, s, "maillog_file = "+file+"\nmaillog_file_prefixes = /\n")
	_, pid := s.start(t, s.etc)
	theirs := content(t, file)
	h := NewPostlog(filepath.Join(s.dir, "nobody"), mine, "mx.example.org", "scratch/master")
	defer h.Close()
	_, text, _ := strings.Cut(strings.TrimSuffix(theirs, "\n"), "]: ")
	must(t, h.Handle(context.Background(), slog.NewRecord(time.Now(), Info, text, 0)))
	sameLine(t, fileStamp, theirs, pid, content(t, mine))
}

func appendMainCf(t *testing.T, s *stock, text string) {
	t.Helper()
	path := filepath.Join(s.etc, "main.cf")
	old, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, append(old, text...), 0o644))
	must(t, os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)))
}

// content is what a file holds once it has a line.
func content(t *testing.T, path string) string {
	t.Helper()
	await.Line(t, path, "")
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}
