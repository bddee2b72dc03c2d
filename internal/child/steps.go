package child

import (
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// means is how births are carried out on this kernel; start.go finds out.
type means struct {
	// oldClone: there is no clone3, so signal handlers are reset one by one.
	oldClone bool
	// wholeTable: the child gets a copy of all our descriptors, not only of
	// those below the launch pad's mark.
	wholeTable bool
	// noCloseRange: descriptors are left to close-on-exec alone.
	noCloseRange bool
}

// sigaction is the kernel's struct sigaction; the fields behind the handler
// have an order that differs between architectures, and are all zero here.
type sigaction struct {
	handler uintptr
	rest    [3]uintptr
}

const (
	sigDefault = 0
	sigIgnore  = 1
	signalMax  = 64
	// maskSize is the size of a signal mask, in bytes.
	maskSize = 8
	fdMax    = ^uint32(0)
	// standardFiles is how many descriptors of ours are not close-on-exec.
	standardFiles = 3
)

// compile writes the whole birth into the cradle. The arrangement's source
// says where the child finds its files.
//
// The order matters: descriptors before limits (a low RLIMIT_NOFILE would not
// let them be placed), privileges that are needed for limits and niceness
// before they are dropped, groups before the user, the directory as the user
// who will work there, and last what must hold only for the program itself.
func (c *cradle) compile(s *Spec, m means) error {
	if hasNUL([]string{s.Path, s.Dir}, s.PIDEnv, s.Args, s.Env, s.EnvMore) {
		return &StartError{Step: "hand over a string with a NUL byte", Err: unix.EINVAL}
	}
	count := opsFixed + 2*len(s.Files) + len(s.Rlimits) + len(s.PIDEnv) + len(s.hook)
	if m.oldClone {
		count += signalMax
	}
	size := textSize(s.Args, s.Env, s.EnvMore, s.PIDEnv, []string{s.Path, s.Path, s.Dir}) + 8*3 + len(s.PIDEnv)*len(pidText)
	size += count*opSize + len(s.Rlimits)*16 + 4*2 + 512
	if s.Credential != nil {
		size += 4*len(s.Credential.Groups) + 8
	}
	if err := c.prepare(size); err != nil {
		return errorAt(step{verb: "map memory for a birth", number: unnumbered}, err)
	}
	flags := uint64(unix.CLONE_FILES)
	if m.wholeTable {
		flags = 0
	}
	c.setClone(flags, m.oldClone)
	c.table(count)
	c.announce()
	c.files(m)
	c.resetSignals(m, s.IgnoreSIGPIPE)
	c.group(s)
	c.schedule()
	c.limits(s)
	c.credential(s.Credential)
	c.surroundings(s)
	c.program(s)
	return nil
}

// call appends a system call to the table.
func (c *cradle) call(at step, nr uintptr, args ...uintptr) *op {
	c.steps = append(c.steps, at)
	c.ops = append(c.ops, op{nr: nr})
	o := &c.ops[len(c.ops)-1]
	copy(o.args[:], args)
	return o
}

// files makes the descriptor table the child's own and puts the files in
// place.
func (c *cradle) files(m means) {
	if !m.wholeTable {
		c.call(step{verb: "unshare descriptors", number: unnumbered}, unix.SYS_CLOSE_RANGE,
			uintptr(pad.mark), uintptr(fdMax), unix.CLOSE_RANGE_UNSHARE).decimal = uintptr(unsafe.Pointer(&c.w.unshared))
	}
	c.moves.arrange()
	for _, v := range c.moves.list {
		at := step{verb: "set up descriptor", number: v.to}
		from, to := uintptr(v.from), uintptr(v.to)
		switch {
		case v.from == closed:
			c.call(at, unix.SYS_CLOSE, to).mayFail = 1
		case v.from == v.to:
			c.call(at, unix.SYS_FCNTL, to, unix.F_SETFD, 0)
		case v.to >= len(c.moves.source): // set aside
			c.call(at, unix.SYS_DUP3, from, to, unix.O_CLOEXEC)
		default:
			c.call(at, unix.SYS_DUP3, from, to, 0)
		}
	}
	first := len(c.moves.source)
	if !m.noCloseRange {
		c.call(step{verb: "close descriptors", number: unnumbered}, unix.SYS_CLOSE_RANGE, uintptr(first), uintptr(fdMax), 0)
		return
	}
	// All others are close-on-exec, see sealInherited.
	for fd := first; fd < standardFiles; fd++ {
		c.call(step{verb: "close descriptor", number: fd}, unix.SYS_CLOSE, uintptr(fd)).mayFail = 1
	}
}

// resetSignals has no handler of ours left by the time that signals are no
// longer blocked: it would run in memory that is ours.
func (c *cradle) resetSignals(m means, ignorePipe bool) {
	if m.oldClone {
		dfl := c.action(sigDefault)
		for sig := uintptr(1); sig <= signalMax; sig++ {
			if disposition(sig) > sigIgnore {
				c.call(step{verb: "reset signal", number: int(sig)}, unix.SYS_RT_SIGACTION, sig, dfl, 0, maskSize)
			}
		}
	}
	pipe := uintptr(sigDefault)
	if ignorePipe {
		pipe = sigIgnore
	}
	c.call(step{verb: "set SIGPIPE", number: unnumbered},
		unix.SYS_RT_SIGACTION, uintptr(unix.SIGPIPE), c.action(pipe), 0, maskSize)
}

// action is a struct sigaction in the child's memory.
func (c *cradle) action(handler uintptr) uintptr {
	mem := c.room(int(unsafe.Sizeof(sigaction{})))
	*(*sigaction)(unsafe.Pointer(unsafe.SliceData(mem))) = sigaction{handler: handler}
	return address(mem)
}

// disposition is the handler of a signal in our process.
func disposition(sig uintptr) uintptr {
	var act sigaction
	_, _, errno := syscall.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&act)), maskSize, 0, 0)
	if errno != 0 {
		return sigDefault
	}
	return act.handler
}

func (c *cradle) group(s *Spec) {
	if s.Setsid {
		c.call(step{verb: "setsid", number: unnumbered}, unix.SYS_SETSID)
	}
	if s.Setpgid {
		c.call(step{verb: "setpgid", number: unnumbered}, unix.SYS_SETPGID, 0, 0)
	}
}

func (c *cradle) limits(s *Spec) {
	if s.Nice != nil {
		c.call(step{verb: "set nice value", number: *s.Nice}, unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, uintptr(*s.Nice))
	}
	if soft, hard, ok := bornNofile(); ok {
		c.limit(Rlimit{unix.RLIMIT_NOFILE, soft, hard})
	}
	for _, l := range s.Rlimits {
		c.limit(l)
	}
}

func (c *cradle) limit(l Rlimit) {
	mem := c.room(16)
	*(*unix.Rlimit)(unsafe.Pointer(unsafe.SliceData(mem))) = unix.Rlimit{Cur: l.Soft, Max: l.Hard}
	c.call(step{verb: "set resource limit", number: l.Resource}, unix.SYS_PRLIMIT64, 0, uintptr(l.Resource), address(mem), 0)
}

func (c *cradle) credential(cr *Credential) {
	if cr == nil {
		return
	}
	mem := c.room(4 * len(cr.Groups))
	copy(unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(mem))), len(cr.Groups)), cr.Groups)
	c.call(step{verb: "setgroups", number: unnumbered}, unix.SYS_SETGROUPS, uintptr(len(cr.Groups)), address(mem))
	c.call(step{verb: "setgid", number: int(cr.GID)}, unix.SYS_SETGID, uintptr(cr.GID))
	c.call(step{verb: "setuid", number: int(cr.UID)}, unix.SYS_SETUID, uintptr(cr.UID))
}

func (c *cradle) surroundings(s *Spec) {
	c.call(step{verb: "set umask", number: unnumbered}, unix.SYS_UMASK, uintptr(s.Umask))
	if s.Dir != "" {
		c.call(step{verb: "chdir", object: s.Dir}, unix.SYS_CHDIR, c.text(s.Dir))
	}
	if s.DeathSignal != 0 {
		// A change of the user would have undone it.
		c.call(step{verb: "set the signal for our death to", number: int(s.DeathSignal)},
			unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(s.DeathSignal))
	}
	if s.NoNewPrivs {
		c.call(step{verb: "set no_new_privs", number: unnumbered}, unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1)
	}
}

// program is the end of the table.
func (c *cradle) program(s *Spec) {
	argv, argvAt := c.words(max(len(s.Args), 1) + 1)
	argv[0] = 0
	for i, a := range s.Args {
		argv[i] = c.text(a)
	}
	path := c.text(s.Path)
	if len(s.Args) == 0 {
		argv[0] = path
	}
	argv[len(argv)-1] = 0
	envAt := c.environment(s)
	for _, o := range s.hook {
		c.call(step{verb: "hook", number: unnumbered}, o.nr, o.args[:]...).mayFail = o.mayFail
	}
	c.call(step{verb: "unblock signals", number: unnumbered}, unix.SYS_RT_SIGPROCMASK,
		unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.w.none)), 0, maskSize)
	c.call(step{verb: "exec", object: s.Path}, unix.SYS_EXECVE, path, argvAt, envAt)
}

// pidText is the longest that follows the name of a variable with a process id.
const pidText = "=4294967295\x00"

// environment copies the variables. The child itself completes those that hold
// its process id.
func (c *cradle) environment(s *Spec) uintptr {
	envp, at := c.words(len(s.Env) + len(s.EnvMore) + len(s.PIDEnv) + 1)
	n := 0
	for _, list := range [...][]string{s.Env, s.EnvMore} {
		for _, v := range list {
			if !slices.ContainsFunc(s.PIDEnv, func(name string) bool { return names(v, name) }) {
				envp[n] = c.text(v)
				n++
			}
		}
	}
	for _, name := range s.PIDEnv {
		mem := c.room(len(name) + len(pidText))
		digits := copy(mem, name) + 1
		mem[digits-1] = '='
		envp[n] = address(mem)
		n++
		c.call(step{verb: "getpid", number: unnumbered}, unix.SYS_GETPID).decimal = address(mem) + uintptr(digits)
	}
	envp[n] = 0
	return at
}

// names tells whether the environment string v sets the variable name.
func names(v, name string) bool {
	return len(v) > len(name) && v[len(name)] == '=' && strings.HasPrefix(v, name)
}
