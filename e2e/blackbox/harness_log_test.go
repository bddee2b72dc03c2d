package blackbox

import (
	"bytes"
	"errors"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
)

// logReader is the test's end of the log: it listens where postlogd(8) would,
// so that a line arrives as an event. A line that a master writes to
// maillog_file by itself, because it cannot or will not wait for postlogd, is
// in the log as well.
type logReader struct {
	conns  []*net.UnixConn
	mu     sync.Mutex
	lines  []logLine
	file   string // the file that lines fall back to
	offset int    // what was read of it
	waiter chan struct{}
}

// logLine is one record: "TAG[PID]: TEXT" without the date and the host.
// Postfix writes no severity for info, which Text has here as "info: ".
type logLine struct {
	Tag      string
	PID      string
	Text     string
	Priority string // "<22>" and the like, of syslog(3) alone
	waited   bool   // a test waited for it and got it
}

func newLogReader(t *testing.T, path, file string) *logReader {
	t.Helper()
	r := &logReader{file: file, waiter: make(chan struct{})}
	r.listen(t, path)
	return r
}

// listen adds a socket from which lines come.
func (r *logReader) listen(t *testing.T, path string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	r.conns = append(r.conns, conn)
	go r.read(conn)
}

func (r *logReader) read(conn *net.UnixConn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && n > 0 {
			r.add(string(buf[:n]))
		}
	}
}

func (r *logReader) add(record string) {
	line, ok := parseLogLine(record)
	if !ok {
		line = logLine{Text: "not a log line: " + record}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	close(r.waiter)
	r.waiter = make(chan struct{})
}

// logRecord is the form of a record: postlog's has the host's name, syslog's
// has the priority instead.
var logRecord = regexp.MustCompile(`^(<\d+>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?:\S+ )?([^\[ ]+)\[(\d+)\]: ((?s:.*?))[\n\x00]*$`)

var severity = regexp.MustCompile(`^(warning|error|fatal|panic): `)

func parseLogLine(record string) (logLine, bool) {
	match := logRecord.FindStringSubmatch(record)
	if match == nil {
		return logLine{}, false
	}
	text := match[4]
	if !severity.MatchString(text) {
		text = "info: " + text
	}
	return logLine{Priority: match[1], Tag: match[2], PID: match[3], Text: text}, true
}

// wait returns the oldest line that matches and that no wait returned before.
func (r *logReader) wait(t *testing.T, pattern string) logLine {
	t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.After(await.Patience)
	for {
		r.readFile()
		r.mu.Lock()
		for i, line := range r.lines {
			if !line.waited && re.MatchString(line.Text) {
				r.lines[i].waited = true
				r.mu.Unlock()
				return line
			}
		}
		waiter := r.waiter
		r.mu.Unlock()
		select {
		case <-waiter:
		case <-time.After(20 * time.Millisecond): // for the file, which tells nobody
		case <-timeout:
			t.Fatalf("no log line like %s; the log:\n%s", pattern, r.all())
		}
	}
}

// want waits for exactly this line.
func (r *logReader) want(t *testing.T, text string) logLine {
	t.Helper()
	return r.wait(t, "^"+regexp.QuoteMeta(text)+"$")
}

// readFile takes in the whole lines that the file has got.
func (r *logReader) readFile() {
	text := head(r.file)
	r.mu.Lock()
	from := min(r.offset, len(text))
	end := bytes.LastIndexByte(text, '\n') + 1
	r.offset = max(from, end)
	r.mu.Unlock()
	for line := range strings.Lines(string(text[from:max(from, end)])) {
		r.add(line)
	}
}

// count is how many lines so far match.
func (r *logReader) count(pattern string) int {
	re := regexp.MustCompile(pattern)
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, line := range r.lines {
		if re.MatchString(line.Text) {
			n++
		}
	}
	return n
}

// all is the whole log so far.
func (r *logReader) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, line := range r.lines {
		b.WriteString("  " + line.Priority + line.Tag + "[" + line.PID + "] " + line.Text + "\n")
	}
	return b.String()
}

func (r *logReader) close() {
	for _, conn := range r.conns {
		conn.Close()
	}
}
