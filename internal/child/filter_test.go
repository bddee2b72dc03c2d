package child

import (
	"fmt"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// filtered is a manager in a container whose filter denies the calls that came
// late to Linux.
func filtered() {
	deny(unix.ENOSYS, unix.SYS_CLONE3, unix.SYS_CLOSE_RANGE)
	for range 2 {
		pid, err := Begin(&Spec{Path: "/bin/true", Files: []int{0, 1, 2}})
		must(err)
		awaitDeath(pid)
		if d, ok := Reap(); !ok || d.PID != pid || d.Status != 0 {
			pass(fmt.Sprint("failed: death ", d, ok))
		}
	}
	if !lacksClone3.Load() || !lacksCloseRange.Load() {
		pass("failed: nothing was learned")
	}
	_, err := Start(&Spec{Path: "/no/such"})
	pass(fmt.Sprint(err))
}

// deny has calls answered with an errno on all threads of this process, and
// those of its children, for ever. See seccomp(2).
func deny(errno unix.Errno, calls ...uint32) {
	prog := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // the call's number
	for _, nr := range calls {
		prog = append(prog,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)})
	}
	prog = append(prog, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	const setModeFilter = 1
	must(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, setModeFilter, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if e != 0 {
		must(e)
	}
}

func TestFilter(t *testing.T) {
	out, _ := output(t, func(fd int) *Spec { return self(t, "filtered", fd) })
	if want := "cannot exec /no/such: no such file or directory\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}
