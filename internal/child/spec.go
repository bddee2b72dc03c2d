package child

import (
	"syscall"
)

// Spec is one birth: the program and all that it is born with. It must not
// change, and its descriptors must stay open, until the birth is answered.
// One Spec may be born many times, also at the same time.
type Spec struct {
	// Path is the program. It is not searched for in PATH; relative paths
	// start from Dir.
	Path string
	// Args is the argument vector, argv[0] included; empty means Path alone.
	Args []string
	// Env is the whole environment, NAME=value; nothing of ours is added.
	Env []string
	// EnvMore is appended to Env: what differs from birth to birth, so that
	// Env can be shared by all births of a service.
	EnvMore []string
	// PIDEnv names variables that are set to the child's own process id in
	// decimal, such as LISTEN_PID. Each takes the place of a variable of that
	// name in Env and EnvMore.
	PIDEnv []string
	// Dir is the working directory; empty means ours.
	Dir string
	// Umask is the file mode creation mask. It is always set.
	Umask int
	// Files[i] is the descriptor of ours that becomes descriptor i of the
	// child; -1 leaves i closed. The child has no other descriptors. File
	// status flags such as O_NONBLOCK are the socket's own and stay as they
	// are.
	Files []int
	// IgnoreSIGPIPE has the child born with SIGPIPE ignored; otherwise it is
	// born with the default action. Other signals that we ignore stay
	// ignored, all that we catch get the default action, and none is blocked.
	IgnoreSIGPIPE bool

	// Setsid makes the child the leader of a new session.
	Setsid bool
	// Setpgid makes the child the leader of a new process group. It must not
	// go with Setsid, which does that already.
	Setpgid bool
	// Nice is the nice value, -20 to 19; nil leaves ours.
	Nice *int
	// Rlimits are the resource limits to set, in this order.
	Rlimits []Rlimit
	// Credential is who the child runs as; nil leaves ours.
	Credential *Credential
	// DeathSignal is sent to the child by the kernel when the thread that gave
	// birth ends, see prctl(2), PR_SET_PDEATHSIG; 0 for none. For it to mean the
	// death of this process, the goroutine MUST be locked to a thread that it
	// never gives back. It ends where the program is set-user-ID.
	DeathSignal syscall.Signal
	// NoNewPrivs denies the program and its offspring privileges by exec, see
	// prctl(2), PR_SET_NO_NEW_PRIVS.
	NoNewPrivs bool

	// hook are system calls to make just before the program is executed; tests stall
	// births with them.
	hook []op
}

// Credential is who a child runs as.
type Credential struct {
	UID, GID uint32
	// Groups are the supplementary groups. Empty means none at all, not ours.
	Groups []uint32
}

// Rlimit is one resource limit, see setrlimit(2).
type Rlimit struct {
	Resource int // RLIMIT_NOFILE, ...
	Soft     uint64
	Hard     uint64
}

// StartError tells which step of a birth failed.
type StartError struct {
	// Step is the step with its object, such as "chdir /var/spool/postfix",
	// "exec /usr/sbin/none", "setuid 65534" or "clone".
	Step string
	// Err is what the kernel said.
	Err syscall.Errno
	// Detail says more where the errno misleads, such as a script whose
	// interpreter does not exist; may be empty.
	Detail string
}

// Error is "cannot STEP: cause", with the detail in parentheses.
func (e *StartError) Error() string {
	s := "cannot " + e.Step + ": " + e.Err.Error()
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	return s
}

// Unwrap gives the errno, for errors.Is.
func (e *StartError) Unwrap() error { return e.Err }
