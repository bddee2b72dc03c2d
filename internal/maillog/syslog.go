package maillog

import (
	"log/slog"
	"os"
	"strconv"
	"time"
)

// SyslogPath is where syslog daemons listen.
const SyslogPath = "/dev/log"

// Facility is the part of the system that a line comes from (RFC 5424).
type Facility int

// The facilities that are used here; syslog_facility may name others.
const (
	Mail   Facility = 2
	Daemon Facility = 3
)

// facilities are the names that syslog_facility may have.
var facilities = map[string]Facility{
	"kern": 0, "user": 1, "mail": Mail, "daemon": Daemon, "auth": 4, "syslog": 5, "lpr": 6,
	"news": 7, "uucp": 8, "cron": 9, "authpriv": 10, "ftp": 11,
	"local0": 16, "local1": 17, "local2": 18, "local3": 19,
	"local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

// FacilityByName finds a facility by the name that main.cf gives it.
func FacilityByName(name string) (Facility, bool) {
	f, ok := facilities[name]
	return f, ok
}

// Syslog writes to the local syslog daemon, as syslog(3) does with LOG_PID.
type Syslog struct {
	*queue
	to *datagram
}

// NewSyslog is a handler for the socket at path. The tag is what stands before
// the process id, such as "postfix/master". Nobody needs to listen yet.
func NewSyslog(path string, facility Facility, tag string) *Syslog {
	to := newDatagram(path)
	name := bracketed(tag)
	format := func(b []byte, t time.Time, l slog.Level, text string) []byte {
		b = append(b, '<')
		b = strconv.AppendInt(b, int64(facility)<<3|int64(severity(l)), 10)
		b = append(b, '>')
		// The day is padded with a blank here and with a zero in Postlog.
		b = t.AppendFormat(b, time.Stamp)
		b = append(b, ' ')
		b = append(b, name...)
		return appendText(b, l, text)
	}
	return &Syslog{queue: &queue{write: to.send, format: format, where: path}, to: to}
}

// WithAttrs is the same handler: the text is final.
func (s *Syslog) WithAttrs([]slog.Attr) slog.Handler { return s }

// WithGroup is the same handler.
func (s *Syslog) WithGroup(string) slog.Handler { return s }

// Close makes a last try to write what waits and closes the socket.
func (s *Syslog) Close() {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to.close()
}

// bracketed is "tag[pid]: ".
func bracketed(tag string) string {
	return tag + "[" + strconv.Itoa(os.Getpid()) + "]: "
}
