package worker

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// levelFatal is for the last words of a worker that can't go on.
const levelFatal = slog.LevelError + 4

// facilityMail is syslog's facility for the mail system, shifted as RFC 3164
// (4.1.1) wants it.
const facilityMail = 2 << 3

// The environment that a master gives its children for their logs.
const (
	envLogTag          = "MAIL_LOGTAG"
	envPostlogService  = "POSTLOG_SERVICE"
	envPostlogHostname = "POSTLOG_HOSTNAME"
)

// syslogPath is where syslog daemons listen.
const syslogPath = "/dev/log"

// sink is where lines go: postlogd(8), syslog, or neither.
type sink struct {
	mu   sync.Mutex
	conn net.Conn
	// postlog: the lines are in postlogd's format, which has a host and no
	// priority.
	postlog bool
	host    string
	stderr  bool
	tag     string
}

// logHandler is a slog.Handler that writes lines as Postfix's daemons do.
type logHandler struct {
	sink  *sink
	level slog.Level
	attrs string
	group string
}

// newLogHandler connects at once, because the sockets may be out of sight once
// the root directory has changed. Lines of a worker that finds nobody to listen
// go to standard error.
func newLogHandler(program string, verbose int, stderr bool) *logHandler {
	tag := os.Getenv(envLogTag)
	if tag == "" {
		tag = "postfix"
	}
	s := &sink{tag: tag + "/" + program, stderr: stderr}
	if path := os.Getenv(envPostlogService); path != "" {
		if conn, err := net.Dial("unixgram", path); err == nil {
			s.conn, s.postlog, s.host = conn, true, os.Getenv(envPostlogHostname)
		}
	}
	if s.conn == nil {
		if conn, err := net.Dial("unixgram", syslogPath); err == nil {
			s.conn = conn
		} else {
			s.stderr = true
		}
	}
	h := &logHandler{sink: s, level: slog.LevelInfo}
	if verbose > 0 {
		h.level = slog.LevelDebug
	}
	return h
}

// Enabled has Debug for workers that were born with -v.
func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// WithAttrs keeps attributes as the text that they will be.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	for _, a := range attrs {
		c.attrs += h.attr(a)
	}
	return &c
}

// WithGroup prefixes the names of attributes to come.
func (h *logHandler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.group += name + "."
	}
	return &c
}

func (h *logHandler) attr(a slog.Attr) string {
	if a.Equal(slog.Attr{}) {
		return ""
	}
	return fmt.Sprintf(" %s%s=%v", h.group, a.Key, a.Value.Resolve())
}

// Handle writes one line.
func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	severity, word := severityOf(r.Level)
	var b strings.Builder
	b.WriteString(word + r.Message + h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(h.attr(a))
		return true
	})
	return h.sink.write(r.Time, severity, printable(b.String()))
}

// severityOf is syslog's number and the word that Postfix starts the line with.
func severityOf(l slog.Level) (int, string) {
	switch {
	case l >= levelFatal:
		return 2, "fatal: "
	case l >= slog.LevelError:
		return 3, "error: "
	case l >= slog.LevelWarn:
		return 4, "warning: "
	}
	return 6, ""
}

// printable keeps what a client sends from forging log lines.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

func (s *sink) write(at time.Time, severity int, text string) error {
	text = fmt.Sprintf("%s[%d]: %s", s.tag, os.Getpid(), text)
	stamp := at.Format(time.Stamp)
	s.mu.Lock()
	defer s.mu.Unlock()
	err := net.ErrClosed
	switch {
	case s.conn == nil:
	case s.postlog:
		_, err = fmt.Fprintf(s.conn, "%s %s %s", stamp, s.host, text)
	default:
		_, err = fmt.Fprintf(s.conn, "<%d>%s %s", facilityMail|severity, stamp, text)
	}
	if s.stderr || err != nil {
		_, err = fmt.Fprintln(os.Stderr, text)
	}
	return err
}
