package masterd

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/brood-project/brood/internal/maillog"
	"github.com/brood-project/brood/internal/mastercf"
)

// syslogSocket is where the C library's syslog(3) sends.
const syslogSocket = "/dev/log"

// tag is what this program calls itself in the log, behind syslog_name.
const tag = "master"

// syslogFiles are where the usual system loggers write the facility mail; the
// first that can be read is searched for last words.
var syslogFiles = []string{"/var/log/mail.log", "/var/log/maillog", "/var/log/syslog", "/var/log/messages"}

// destination is a handler that has to be given up in the end.
type destination interface {
	slog.Handler
	Flush()
	Close()
}

// logs is the log of the daemon: a handler whose destination follows main.cf,
// also when that changes on reload.
type logs struct {
	now     atomic.Pointer[destination]
	file    atomic.Pointer[string] // maillog_file; "" for syslog
	setting logSetting
	level   slog.LevelVar
}

// logSetting is all that decides where the log goes.
type logSetting struct {
	facility, tag, file, socket, host string
}

// newLogs begins with syslog, because main.cf has not been read.
func newLogs() *logs {
	l := &logs{}
	l.use(logSetting{facility: "mail", tag: "postfix/" + tag})
	return l
}

// follow has the log go where main.cf says. BEFORE: called by one goroutine at
// a time.
func (l *logs) follow(c *mastercf.Config, verbose int) {
	if verbose > 0 {
		l.level.Set(maillog.Verbose)
	}
	s := logSetting{facility: c.SyslogFacility, tag: c.SyslogName + "/" + tag}
	if c.MaillogFile != "" {
		s.file, s.host, s.socket = c.MaillogFile, c.Hostname, c.PostlogPath
	}
	if s != l.setting {
		l.use(s)
	}
}

// use changes the destination.
func (l *logs) use(s logSetting) {
	var next destination
	if s.file != "" {
		next = maillog.NewPostlog(s.socket, s.file, s.host, s.tag)
	} else {
		facility, ok := maillog.FacilityByName(s.facility)
		if !ok {
			facility, _ = maillog.FacilityByName("mail")
		}
		next = maillog.NewSyslog(syslogSocket, facility, s.tag)
	}
	l.setting = s
	l.file.Store(&s.file)
	if before := l.now.Swap(&next); before != nil {
		(*before).Close()
	}
}

// lastWords finds the last fatal or panic line of a child in the log that it
// writes to.
func (l *logs) lastWords(pid int, died time.Time) string {
	files := syslogFiles
	if file := *l.file.Load(); file != "" {
		files = []string{file}
	}
	for _, file := range files {
		if _, err := os.Stat(file); err == nil {
			return maillog.LastWords(file, pid, died)
		}
	}
	return ""
}

func (l *logs) info(text string) { slog.New(l).Info(text) }

func (l *logs) warn(text string) { slog.New(l).Warn(text) }

// fatal says why the process ends. Where somebody sits at a terminal, he is
// told as well.
func (l *logs) fatal(err error) {
	var out slog.Handler = l
	if st, e := os.Stderr.Stat(); e == nil && st.Mode()&os.ModeCharDevice != 0 {
		out = maillog.Fanout(l, maillog.NewStderr(os.Stderr, "postfix/"+tag))
	}
	for _, line := range l.fatalLines(err) {
		slog.New(out).Log(context.Background(), maillog.Fatal, line)
	}
	l.close()
}

// direct has the rest of the log written to the file itself, because postlogd
// is about to end.
func (l *logs) direct() {
	if s := l.setting; s.socket != "" {
		s.socket = ""
		l.use(s)
	}
}

// close writes what still waits.
func (l *logs) close() { (*l.now.Load()).Close() }

// Enabled tells whether a level is logged.
func (l *logs) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level.Level() }

// Handle hands a line on.
func (l *logs) Handle(ctx context.Context, r slog.Record) error {
	return (*l.now.Load()).Handle(ctx, r)
}

// WithAttrs is the same handler: the text is final.
func (l *logs) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup is the same handler.
func (l *logs) WithGroup(string) slog.Handler { return l }
