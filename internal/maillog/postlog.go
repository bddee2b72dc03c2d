package maillog

import (
	"errors"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// stdout is the one value of maillog_file that is not opened: the descriptor
// that the process was given is meant.
const stdout = "/dev/stdout"

// Postlog writes for maillog_file: to postlogd's socket, or to the file itself
// when nobody has that socket open.
type Postlog struct {
	*queue
	to   *datagram
	file string
}

// NewPostlog is a handler for the socket at path (queue_directory, public,
// postlog_service_name) and the file. The host is the first label of
// myhostname, the tag as for NewSyslog. Neither needs to exist yet: the file
// is made with mode 0644 less the umask.
func NewPostlog(socket, file, host, tag string) *Postlog {
	p := &Postlog{to: newDatagram(socket), file: file}
	first, _, _ := strings.Cut(host, ".")
	name := first + " " + bracketed(tag)
	format := func(b []byte, t time.Time, l slog.Level, text string) []byte {
		b = t.AppendFormat(b, "Jan 02 15:04:05 ")
		b = append(b, name...)
		return appendText(b, l, text)
	}
	p.queue = &queue{write: p.writeLine, format: format, where: file}
	return p
}

// writeLine prefers the socket, so that one process writes the file. While
// postlogd is alive and busy the line waits, or the file's lines would not be
// in order.
func (p *Postlog) writeLine(line []byte) error {
	err := p.to.send(line)
	if err == nil || busy(err) {
		return err
	}
	return appendToFile(p.file, line)
}

// WithAttrs is the same handler: the text is final.
func (p *Postlog) WithAttrs([]slog.Attr) slog.Handler { return p }

// WithGroup is the same handler.
func (p *Postlog) WithGroup(string) slog.Handler { return p }

// Close writes what still waits to the file and closes the socket.
func (p *Postlog) Close() {
	p.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to.close()
	for p.ring.len() > 0 && appendToFile(p.file, p.ring.peek()) == nil {
		p.ring.pop()
	}
}

// appendToFile opens the file for each line, as it is rotated under our feet.
// A link to elsewhere is not followed: we are root.
func appendToFile(path string, line []byte) error {
	line = append(line[:len(line):len(line)], '\n')
	if path == stdout {
		return writeStdout(line)
	}
	flags := unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Open(path, flags, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink != 1 {
		return errors.New("cannot log to a file of several names")
	}
	return writeAll(fd, line)
}

// writeStdout writes to the standard output, which others hold as well, so that
// it is not ours to make non-blocking: a socket is asked not to wait, and
// anything else is opened anew.
func writeStdout(line []byte) error {
	var st unix.Stat_t
	if err := unix.Fstat(1, &st); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return writeAll(1, line)
	case unix.S_IFSOCK:
		return unix.Sendto(1, line, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
	}
	fd, err := unix.Open("/proc/self/fd/1", unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENXIO): // a pipe that nobody reads any more
		return err
	case err != nil: // no /proc, or a terminal of somebody else's
		return writeAll(1, line)
	}
	defer func() { _ = unix.Close(fd) }()
	return writeAll(fd, line)
}

// writeAll writes a line as one: what a full disk took of it is taken back
// where that is possible.
func writeAll(fd int, line []byte) error {
	n, err := unix.Write(fd, line)
	if err == nil && n < len(line) {
		if end, e := unix.Seek(fd, 0, unix.SEEK_CUR); e == nil {
			_ = unix.Ftruncate(fd, end-int64(n))
		}
		err = unix.ENOSPC
	}
	return err
}

// AllowedFile tells whether maillog_file lies below one of the prefixes that
// maillog_file_prefixes lists.
func AllowedFile(file string, prefixes []string) bool {
	for _, p := range prefixes {
		if p != "" && strings.HasPrefix(file, p) {
			return true
		}
	}
	return false
}
