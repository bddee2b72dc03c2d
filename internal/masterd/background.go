package masterd

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readyVariable holds the pid of the command in the foreground that waits for the
// daemon in the background to be ready.
const readyVariable = "BROOD_READY_FOR"

// readyPipe is the descriptor by which the daemon tells it.
const readyPipe = 3

// initTimeout is how long the foreground waits for the background.
const initTimeout = 100 * time.Second

var errInit = errors.New("daemon initialization failure -- see logs for details")

// Strerror is an errno in the C library's words, which other programs expect in
// the log: with a capital letter.
func Strerror(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) || len(errno.Error()) == 0 {
		return err.Error()
	}
	text := errno.Error()
	return string(text[0]-'a'+'A') + text[1:]
}

// startInBackground runs this program again as the daemon, and returns when
// that is ready, has failed, or takes too long.
func startInBackground(args []string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot create pipe: %w", err)
	}
	defer r.Close()
	pid, err := syscall.ForkExec(program, args, &syscall.ProcAttr{
		Env:   append(os.Environ(), fmt.Sprint(readyVariable, "=", os.Getpid())),
		Files: []uintptr{0, 1, 2, w.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	w.Close()
	if err != nil {
		return fmt.Errorf("cannot start the daemon: %w", err)
	}
	ready := make(chan bool, 1)
	go func() {
		n, _ := r.Read(make([]byte, 1))
		ready <- n == 1
	}()
	select {
	case ok := <-ready:
		if !ok {
			return errInit
		}
		return nil
	case <-time.After(initTimeout):
		_ = syscall.Kill(pid, syscall.SIGKILL)
		return errInit
	}
}

// background is the descriptor by which to tell that we are ready; -1 in a
// process that nobody waits for. The variable is taken away, so that no child
// sees it. One that comes from elsewhere means nothing: what has that descriptor
// then may be the runtime's own.
func background() int {
	value, ok := os.LookupEnv(readyVariable)
	if !ok {
		return -1
	}
	os.Unsetenv(readyVariable)
	var st unix.Stat_t
	if value != strconv.Itoa(os.Getppid()) || unix.Fstat(readyPipe, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return -1
	}
	unix.CloseOnExec(readyPipe)
	return readyPipe
}

// tellReady lets the foreground go.
func tellReady(fd int) {
	if fd < 0 {
		return
	}
	_, _ = unix.Write(fd, []byte{0})
	unix.Close(fd)
}

// leaveTerminal gives up the standard descriptors.
func leaveTerminal(keepStdout bool) error {
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/null: %s", Strerror(err))
	}
	defer unix.Close(null)
	for fd := range 3 {
		if fd == 1 && keepStdout {
			continue
		}
		if err := unix.Dup3(null, fd, 0); err != nil {
			return fmt.Errorf("open /dev/null: %s", Strerror(err))
		}
	}
	return nil
}

// closeInherited closes what the shell or another parent left open, but for
// keep. Descriptors of our own are told by their close-on-exec flag, which an
// inherited one cannot have.
func closeInherited(keep int) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return // no proc file system: they stay, and no child sees them
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd < 3 || fd == keep {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
}

// leadSession makes this process the leader of a session of its own, so that
// a stop can end it with all its children and nobody else.
func leadSession() error {
	if _, err := unix.Setsid(); err != nil {
		if sid, _ := unix.Getsid(0); sid != os.Getpid() {
			return fmt.Errorf("unable to set session and process group ID: %s", Strerror(err))
		}
	}
	return nil
}
