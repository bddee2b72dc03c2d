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

// writer writes lines to a place. It may wait. It returns how many were written;
// an error is why the others were not.
type writer func(lines [][]byte) (written int, err error)

// writerTo is the writer to a place; nil to discard lines.
func writerTo(to string) writer {
	switch to {
	case plan.OutputDiscard:
		return nil
	case plan.OutputStdout:
		return (&plainFile{fd: 1}).write
	case plan.OutputStderr:
		return (&plainFile{fd: 2}).write
	case plan.OutputSyslog:
		return (&logger{path: syslogSocket, fd: -1}).send
	case plan.OutputJournal:
		return (&logger{path: journalSocket, fd: -1}).send
	}
	return (&plainFile{path: to}).append
}

// plainFile takes lines as bytes.
type plainFile struct {
	path string
	fd   int
	// torn: the last line could be written in part only, as the disk was full.
	torn bool
}

// append opens the file each time that there is something to write, as it may
// be rotated meanwhile. A link to elsewhere is not followed: we may be root.
func (f *plainFile) append(lines [][]byte) (int, error) {
	flags := unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := unix.Open(f.path, flags, fileMode)
	if err != nil {
		return 0, fmt.Errorf("cannot open %s: %w", f.path, err)
	}
	f.fd = fd
	defer func() { _ = unix.Close(fd) }()
	return f.write(lines)
}

// write writes lines to the descriptor, which may be one that does not wait.
func (f *plainFile) write(lines [][]byte) (int, error) {
	if f.torn {
		if _, err := f.writeLine(newline); err != nil {
			return 0, err
		}
		f.torn = false
	}
	for i, line := range lines {
		if n, err := f.writeLine(line); err != nil {
			f.torn = n > 0
			return i, err
		}
	}
	return len(lines), nil
}

func (f *plainFile) writeLine(line []byte) (total int, err error) {
	for total < len(line) {
		n, err := unix.Write(f.fd, line[total:])
		switch {
		case err == unix.EAGAIN:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLOUT}}, -1)
		case err == unix.EINTR:
		case err != nil:
			return total, err
		default:
			total += n
		}
	}
	return total, nil
}

// logger is a connection to a program that takes lines as datagrams, and may go
// and come back.
type logger struct {
	path string
	fd   int
}

// send hands lines over, one by one.
func (g *logger) send(lines [][]byte) (int, error) {
	for i, line := range lines {
		if g.fd >= 0 && g.sendOne(line) == nil {
			continue
		}
		g.close() // another may have taken the place of the one we knew
		if err := g.connect(); err != nil {
			return i, err
		}
		if err := g.sendOne(line); err != nil {
			return i, err
		}
	}
	return len(lines), nil
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
