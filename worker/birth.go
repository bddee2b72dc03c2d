package worker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/masterproto"
)

// The environment that tells who gave birth.
const (
	envConfig       = masterproto.EnvConfig
	envListenFDs    = "LISTEN_FDS"
	envListenPID    = "LISTEN_PID"
	envNotifySocket = "NOTIFY_SOCKET"
)

// listenFDsStart is the first descriptor of sd_listen_fds(3).
const listenFDsStart = 3

// kind is which protocol the manager speaks.
type kind uint8

const (
	bornToMaster  kind = iota + 1 // master(8): sockets from 6, status on 5
	bornToSystemd                 // sd_listen_fds(3), sd_notify(3)
	bornToClient                  // -S: the client is descriptor 0
	bornAlone                     // -standalone, for trying a worker from a shell
)

// birth is what the process came into the world with.
type birth struct {
	kind      kind
	first     int // the first listening descriptor
	address   string
	listeners []int
	statusFD  int // -1 when there is no channel to watch for end-of-file
	status    reporter
}

// errOrphan is for who starts a worker from a shell without saying how.
var errOrphan = errors.New("cannot start: nobody passed a listening socket to this process" +
	" (no " + masterproto.EnvGeneration + " with a status channel on descriptor 5, no " + envListenFDs + ");" +
	" name the program in master.cf, or try it alone with -standalone HOST:PORT or -standalone /PATH")

// findBirth tells which manager gave birth to the process and returns the
// arguments that are left to parse.
func findBirth(argv []string) (birth, []string, error) {
	if len(argv) >= 2 && argv[0] == "-standalone" {
		return birth{kind: bornAlone, address: argv[1], statusFD: -1, status: silent{}}, argv[2:], nil
	}
	if slices.Contains(argv, "-"+string(masterproto.OptStdio)) {
		return birth{kind: bornToClient, statusFD: -1, status: silent{}}, argv, nil
	}
	if text, ok := os.LookupEnv(masterproto.EnvGeneration); ok && isSocket(masterproto.FDStatus) {
		generation, err := masterproto.ParseGeneration(text)
		if err != nil {
			return birth{}, nil, err
		}
		status := &postfixStatus{fd: masterproto.FDStatus, pid: int32(os.Getpid()), generation: generation}
		return birth{
			kind: bornToMaster, first: masterproto.FDListen,
			statusFD: masterproto.FDStatus, status: status,
		}, argv, nil
	}
	if n, ok := listenFDs(); ok {
		b := birth{kind: bornToSystemd, first: listenFDsStart, statusFD: -1}
		for i := range n {
			b.listeners = append(b.listeners, listenFDsStart+i)
		}
		b.status = newNotifier(os.Getenv(envNotifySocket))
		return b, argv, nil
	}
	return birth{}, nil, errOrphan
}

func isSocket(fd int) bool {
	_, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil
}

// listenFDs is the number of sockets that a systemd-like manager passed to this
// very process.
func listenFDs() (int, bool) {
	if os.Getenv(envListenPID) != strconv.Itoa(os.Getpid()) {
		return 0, false
	}
	n, err := strconv.Atoi(os.Getenv(envListenFDs))
	return n, err == nil && n > 0
}

// arguments parses the standard vector of a master. Other managers have none:
// all arguments are the author's.
func (b *birth) arguments(name string, argv []string) (arguments, error) {
	if b.kind == bornToMaster || b.kind == bornToClient {
		return parseArguments(name, argv)
	}
	return arguments{service: name, sockets: len(b.listeners), rest: argv, single: true}, nil
}

// adopt takes hold of the listening descriptors: they are checked and kept from
// programs that the worker itself may start.
func (b *birth) adopt(a *arguments) error {
	switch {
	case b.kind == bornAlone:
		fd, err := listenAlone(b.address)
		if err != nil {
			return err
		}
		b.listeners = []int{fd}
		return nil
	case a.stdio:
		return nil
	case b.kind == bornToMaster:
		for i := range a.sockets {
			b.listeners = append(b.listeners, b.first+i)
		}
		for _, fd := range []int{masterproto.FDFlowRead, masterproto.FDFlowWrite, masterproto.FDStatus} {
			unix.CloseOnExec(fd)
		}
	}
	for _, fd := range b.listeners {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			return fmt.Errorf("cannot use listening descriptor %d: %w", fd, err)
		}
		if b.kind == bornToSystemd && flags&unix.O_NONBLOCK == 0 {
			if err := unix.SetNonblock(fd, true); err != nil {
				return fmt.Errorf("cannot make listening descriptor %d non-blocking: %w", fd, err)
			}
		}
		unix.CloseOnExec(fd)
	}
	return nil
}

// listenAlone makes a listening socket for a worker that is tried from a shell:
// a path is a unix socket, anything else an address of TCP.
func listenAlone(address string) (int, error) {
	network := "tcp"
	if strings.ContainsRune(address, filepath.Separator) {
		network = "unix"
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return -1, fmt.Errorf("cannot listen: %w", err)
	}
	raw, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return -1, fmt.Errorf("cannot listen: %w", err)
	}
	defer raw.Close()
	fd, err := unix.FcntlInt(raw.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1, fmt.Errorf("cannot listen: %w", err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	l.Close()
	if err := unix.SetNonblock(fd, true); err != nil {
		return -1, fmt.Errorf("cannot listen: %w", err)
	}
	return fd, nil
}
