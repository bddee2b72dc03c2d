package scoreboard

import "strconv"

// signals are those of signal(7) on Linux, by number, and what it usually means
// when a process dies of one.
var signals = map[int]struct{ name, meaning string }{
	1:  {"SIGHUP", "its terminal or its leader is gone"},
	2:  {"SIGINT", "somebody interrupted it"},
	3:  {"SIGQUIT", "somebody asked for a core dump"},
	4:  {"SIGILL", "it was built for another processor, or its code is damaged"},
	5:  {"SIGTRAP", "a debugger's breakpoint, or an assertion of its runtime"},
	6:  {"SIGABRT", "it aborted itself: an assertion, or a fatal error of its runtime"},
	7:  {"SIGBUS", "a file that it had mapped became shorter, or memory is damaged"},
	8:  {"SIGFPE", "a division by zero"},
	9:  {"SIGKILL", "somebody, or the kernel, killed it"},
	10: {"SIGUSR1", "it does not handle this signal"},
	11: {"SIGSEGV", "a segmentation fault: it used memory that is not its own, a defect of the program or of a library"},
	12: {"SIGUSR2", "it does not handle this signal"},
	13: {"SIGPIPE", "it wrote to a client that was gone"},
	14: {"SIGALRM", "a timer of its own"},
	15: {"SIGTERM", "somebody asked it to end"},
	16: {"SIGSTKFLT", ""},
	24: {"SIGXCPU", "it has used the processor time that limits.cpu gives it"},
	25: {"SIGXFSZ", "it wrote a file larger than limits.fsize allows"},
	26: {"SIGVTALRM", "a timer of its own"},
	27: {"SIGPROF", "a profiler's timer"},
	29: {"SIGIO", "it does not handle this signal"},
	30: {"SIGPWR", "it does not handle this signal"},
	31: {"SIGSYS", "it used a system call that a filter forbids"},
}

// SignalName is the name of a signal on Linux, or its number.
func SignalName(n int) string {
	if s, ok := signals[n]; ok {
		return s.name
	}
	return "signal " + strconv.Itoa(n)
}

// fault tells that a signal comes from a mistake in the program.
func fault(n int) bool {
	switch n {
	case 4, 5, 6, 7, 8, 11:
		return true
	}
	return false
}
