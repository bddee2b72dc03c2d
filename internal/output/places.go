package output

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// Where the loggers of a machine listen.
const (
	syslogSocket  = "/dev/log"
	journalSocket = "/run/systemd/journal/socket"
)

// datagramPatience is how long a logger may take for one line.
const datagramPatience = time.Second

// fileMode is the mode of a log file that is made, less the umask.
const fileMode = 0o640

// writerTo writes lines to a place; nil to discard them. It may wait. An error
// means that not all were written.
func writerTo(to string) func(lines [][]byte) error {
	switch to {
	case plan.OutputDiscard:
		return nil
	case plan.OutputStdout:
		return func(lines [][]byte) error { return writeAll(1, lines) }
	case plan.OutputStderr:
		return func(lines [][]byte) error { return writeAll(2, lines) }
	case plan.OutputSyslog:
		return (&logger{path: syslogSocket, fd: -1}).send
	case plan.OutputJournal:
		return (&logger{path: journalSocket, fd: -1}).send
	}
	return func(lines [][]byte) error { return appendTo(to, lines) }
}

// writeAll writes lines to a descriptor, which may be one that does not wait.
func writeAll(fd int, lines [][]byte) error {
	for _, line := range lines {
		for len(line) > 0 {
			n, err := unix.Write(fd, line)
			switch {
			case err == unix.EAGAIN:
				_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
			case err == unix.EINTR:
			case err != nil:
				return err
			default:
				line = line[n:]
			}
		}
	}
	return nil
}

// appendTo opens the file each time that there is something to write, as it may
// be rotated meanwhile. A link to elsewhere is not followed: we may be root.
func appendTo(path string, lines [][]byte) error {
	flags := unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := unix.Open(path, flags, fileMode)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", path, err)
	}
	defer func() { _ = unix.Close(fd) }()
	return writeAll(fd, lines)
}

// logger is a connection to a program that takes lines as datagrams, and may go
// and come back.
type logger struct {
	path string
	fd   int
}

// send hands lines over, one by one.
func (g *logger) send(lines [][]byte) error {
	for _, line := range lines {
		if g.fd >= 0 && g.sendOne(line) == nil {
			continue
		}
		g.close() // another may have taken the place of the one we knew
		if err := g.connect(); err != nil {
			return err
		}
		if err := g.sendOne(line); err != nil {
			return err
		}
	}
	return nil
}

func (g *logger) sendOne(line []byte) error {
	for {
		err := unix.Sendto(g.fd, line, unix.MSG_NOSIGNAL, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (g *logger) connect() error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	patience := unix.NsecToTimeval(int64(datagramPatience))
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: g.path})
	}
	if err != nil {
		unix.Close(fd)
		return fmt.Errorf("cannot connect to %s: %w", g.path, err)
	}
	g.fd = fd
	return nil
}

func (g *logger) close() {
	if g.fd >= 0 {
		unix.Close(g.fd)
		g.fd = -1
	}
}
