package blackbox

import (
	"errors"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// logReader is the test's end of the log: it listens where postlogd(8) would,
// so that every line arrives as an event.
type logReader struct {
	conn   *net.UnixConn
	mu     sync.Mutex
	lines  []logLine
	next   int // lines before it were waited for
	waiter chan struct{}
}

// logLine is one record: "TAG[PID]: TEXT" without the date and the host.
// Postfix writes no severity for info, which Text has here as "info: ".
type logLine struct {
	Tag  string
	PID  string
	Text string
}

func newLogReader(t *testing.T, path string) *logReader {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	r := &logReader{conn: conn, waiter: make(chan struct{})}
	go r.read()
	return r
}

func (r *logReader) read() {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.conn.Read(buf)
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

var logRecord = regexp.MustCompile(`^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ ([^\[ ]+)\[(\d+)\]: ((?s:.*?))\n?$`)

var severity = regexp.MustCompile(`^(warning|error|fatal|panic): `)

func parseLogLine(record string) (logLine, bool) {
	match := logRecord.FindStringSubmatch(record)
	if match == nil {
		return logLine{}, false
	}
	text := match[3]
	if !severity.MatchString(text) {
		text = "info: " + text
	}
	return logLine{Tag: match[1], PID: match[2], Text: text}, true
}

// wait returns the next line that matches, counted from the last one that was
// waited for; lines in between are passed over.
func (r *logReader) wait(t *testing.T, pattern string) logLine {
	t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.After(patience)
	for {
		r.mu.Lock()
		for i, line := range r.lines[r.next:] {
			if re.MatchString(line.Text) {
				r.next += i + 1
				r.mu.Unlock()
				return line
			}
		}
		waiter := r.waiter
		r.mu.Unlock()
		select {
		case <-waiter:
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
		b.WriteString("  " + line.Tag + "[" + line.PID + "] " + line.Text + "\n")
	}
	return b.String()
}

func (r *logReader) close() { r.conn.Close() }
