package scoreboard

import (
	"strconv"
	"strings"
)

// cause is why something failed, as far as the facts tell.
type cause struct {
	// text completes "SERVICE is STATE: ", or ", but " where past is set; proof is what it was concluded from.
	text, proof string
	// do is what the operator can do, a sentence each.
	do []string
	// weak tells that the facts do not say why, so that what an inspection
	// finds goes first.
	weak bool
	// past tells that the service goes on.
	past bool
}

// causeOf concludes from a death why it happened. What the kernel and brood know
// for certain goes before what the program has said.
func (s *Service) causeOf(d *Death) cause {
	switch {
	case d.Cause != "":
		return s.neverRan(d)
	case d.OutOfMemory:
		return s.starved(d)
	case d.Limit != "":
		return s.overstepped(d)
	case d.Signal != 0 && d.Signal != 6:
		return s.killedBy(d)
	}
	if says, line, found := heard(d.Words); says != nil {
		return cause{
			text:  fill(says.cause, found, line) + s.whereLooked(says),
			proof: "Its last words: " + quote(line) + "; it " + d.ending() + ".",
			do:    []string{sentence(fill(says.do, found, line))},
		}
	}
	if d.Signal != 0 {
		return s.killedBy(d)
	}
	return s.exited(d)
}

// whereLooked reminds of a root that is not the machine's.
func (s *Service) whereLooked(says *saying) string {
	if s.Chroot == "" || !says.named && !strings.Contains(says.cause, "not found") && !strings.Contains(says.cause, "/etc/services") {
		return ""
	}
	return " (its root is " + s.Chroot + ")"
}

// neverRan explains a birth that failed at one of our own system calls.
func (s *Service) neverRan(d *Death) cause {
	c := cause{text: "no worker can be started", proof: sentence(d.Cause)}
	step, reason := parseCause(d.Cause)
	verb, object, _ := strings.Cut(step, " ")
	missing := strings.HasPrefix(reason, "no such file")
	switch verb {
	case "exec":
		if strings.HasPrefix(reason, "resource temporarily") {
			s.noProcess(&c) // The kernel puts off to here what setuid found.
			break
		}
		s.notExecuted(&c, object, reason)
	case "chdir":
		c.text = "its working directory " + object + " cannot be entered: " + reason
		c.do = []string{"Correct directory in " + s.place() + ", or let " + s.user() + " enter it."}
		if missing {
			c.text = "its working directory " + object + " does not exist"
			c.do = []string{"Make " + object + ", or correct directory in " + s.place() + "."}
		}
	case "setuid", "setgid", "setgroups":
		c.text = "it cannot become the user " + s.user() + ": " + reason
		c.do = []string{"Run broodd as root, or correct user in " + s.place() + "."}
		if strings.HasPrefix(reason, "resource temporarily") {
			s.noProcess(&c)
		}
	case "clone":
		s.noProcess(&c)
		if strings.HasPrefix(reason, "cannot allocate memory") {
			c.text = "the machine, or brood's cgroup, has no memory left for one more process"
			c.do = []string{"Find what uses it: \"brood status\" has the memory of each service."}
		}
	case "set":
		c.text = "its surroundings cannot be made as asked for: " + step + ", " + reason
		c.do = []string{"Correct limits or nice in " + s.place() + "; raising a hard limit needs root."}
	}
	return c
}

// notExecuted explains a program that the kernel would not load.
func (s *Service) notExecuted(c *cause, path, reason string) {
	where := ""
	if s.Chroot != "" {
		where = " below its root " + s.Chroot
	}
	c.do = []string{"Put the program there, or correct " + s.commandName() + " in " + s.place() + "."}
	reason, detail, _ := strings.Cut(reason, " (")
	detail = strings.TrimSuffix(detail, ")")
	switch {
	case strings.Contains(detail, "interpreter"), strings.Contains(detail, "loader"):
		c.text = "its program " + path + " cannot be executed" + where + ": " + detail
		c.do = []string{"Install the interpreter, or correct the first line of " + path + "."}
		if strings.Contains(detail, "loader") {
			c.do = []string{"Install the C library that " + path + " was built for, or a program built for this machine."}
		}
	case strings.HasPrefix(reason, "no such file"):
		c.text = "its program " + path + " does not exist" + where
	case strings.HasPrefix(reason, "permission denied"):
		c.text = "its program " + path + " may not be executed" + s.asUser()
		c.do = []string{"Make it executable for that user: chmod +x, and x on each directory above it."}
		if detail != "" {
			c.text += ": " + detail
		}
	default:
		c.text = "its program " + path + " cannot be executed" + where + ": " + reason
		if detail != "" {
			c.text += " (" + detail + ")"
		}
	}
}

// noProcess explains that the kernel gave no process.
func (s *Service) noProcess(c *cause) {
	c.text = "the limit of processes is reached (RLIMIT_NPROC, or pids.max of a cgroup), so that no worker can be born"
	c.do = []string{"Raise that limit, or find who has so many processes: \"ps -eLf | wc -l\"; see limits.nproc in " + s.place() + "."}
}

// starved explains a death for want of memory.
func (s *Service) starved(d *Death) cause {
	return cause{
		text:  "the kernel killed a worker: out of memory, its cgroup or the machine had none left",
		proof: "The kernel counted an out-of-memory kill when it " + d.ending() + d.inHand() + ".",
		do: []string{
			"Give it more memory, or fewer workers (" + s.limitName() + " in " + s.place() + "), or have it use less.",
		},
	}
}

// overstepped explains a worker that one of brood's own limits has ended.
func (s *Service) overstepped(d *Death) cause {
	c := cause{proof: "It had lived for " + Span(d.Age) + "."}
	if s.knowsUses(d) {
		c.proof = "It had lived for " + Span(d.Age) + " and served " + count(d.Uses, "client") + "."
	}
	if d.Place != "" {
		c.proof = "It hung there: " + d.Place + "."
	}
	switch d.Limit {
	case "start.timeout":
		c.text = "a new worker was not ready within start.timeout, and was ended"
		c.do = []string{"Find out what it waits for at its start, or raise start.timeout in " + s.place() + "."}
	case "heartbeat":
		c.text = "a worker hung: it sent no WATCHDOG=1 for as long as heartbeat allows, and was killed"
		c.do = []string{"Find out what it was waiting for there; heartbeat in " + s.place() + " is the longest it may be silent."}
	case "busy":
		c.text = "a worker hung with one client for longer than busy allows, and was killed"
		c.do = []string{"Find out what it was waiting for there, or raise busy in " + s.place() + "."}
	case "stop.timeout":
		c.text = "a worker did not end within stop.timeout of the stop signal, and was killed"
		c.do = []string{"Have the program end on the signal, or raise stop.timeout in " + s.place() + "."}
	case "deaf":
		c.text = "a worker hung: it left its clients waiting, and was killed"
		c.do = []string{"Find out what it was waiting for there."}
	default:
		c.text = "a worker passed the limit " + d.Limit + ", and was ended"
	}
	return c
}

// killedBy explains a signal that brood did not send.
func (s *Service) killedBy(d *Death) cause {
	sig := signals[d.Signal]
	c := cause{text: "a worker was killed by " + SignalName(d.Signal), proof: "The worker " + d.ending() + d.inHand() + "."}
	if sig.meaning != "" {
		c.text += ": " + sig.meaning
	}
	if last := telling(d.Words); last != "" {
		c.proof = "Its last words: " + quote(last) + "; it " + d.ending() + d.inHand() + "."
	}
	switch {
	case d.Signal == 9:
		c.text = "a worker was killed by SIGKILL, which brood did not send: somebody did, or the kernel for want of memory"
		c.do = []string{"\"dmesg | grep -i oom\" tells whether it was the kernel."}
	case d.Signal == 11:
		c.text = "a worker crashed: segmentation fault (SIGSEGV), a defect of the program or of a library"
		c.do = crashAdvice(d)
	case fault(d.Signal):
		c.text = "a worker crashed by " + SignalName(d.Signal) + ": " + sig.meaning
		c.do = crashAdvice(d)
	case d.Signal == 24 || d.Signal == 25:
		c.do = []string{"Raise that limit in " + s.place() + ", or have it use less."}
	}
	return c
}

func crashAdvice(d *Death) []string {
	if d.Core {
		return []string{"The kernel has dumped its memory: \"coredumpctl\", or the place in /proc/sys/kernel/core_pattern, for gdb."}
	}
	return []string{"Report it to the program's makers; limits.core = \"unlimited\" has the kernel keep its memory for gdb."}
}

// exited explains an exit status of which nothing more is known than what the
// program said.
func (s *Service) exited(d *Death) cause {
	c := cause{weak: true, proof: "The worker " + d.ending() + d.inHand() + ", and had said nothing."}
	when, status := s.when(d), ""
	c.do = []string{"Run it by hand" + s.asUser() + ":\n" + ShellLine(s.Command)}
	switch d.Exit {
	case 0:
		c.text = "its workers end " + when + ", with exit status 0"
		c.do = []string{"Have the program stay and serve; is it one that goes into the background?"}
	case 126:
		c.text = "a command that it runs cannot be executed (exit status 126)"
	case 127:
		c.text = "a command or a shared library that it needs is not found (exit status 127)"
	default:
		c.text, status = "a worker gave up", "exit status "+strconv.Itoa(d.Exit)+", "+when
	}
	last := telling(d.Words)
	switch {
	case last == Hidden:
		c.do, c.proof = nil, "The worker "+d.ending()+d.inHand()+"."
	case last != "":
		c.text += ", saying " + quote(last)
		c.proof = "Nothing more is known of the cause than what it said."
		c.do[0] = "Mend what its last words say. By hand" + s.asUser() + ":\n" + ShellLine(s.Command)
	}
	switch {
	case status == "":
	case last == "" || last == Hidden:
		c.text += " with " + status
	default:
		// Behind what it said: a narrow line is cut at its end.
		c.text += " (" + status + ")"
	}
	return c
}

// when is how far a worker had got when it ended.
func (s *Service) when(d *Death) string {
	switch {
	case d.Busy:
		return "with a client in hand"
	case d.Uses > 0:
		return "after it served " + count(d.Uses, "client")
	case s.knowsUses(d):
		return "before it served a client"
	}
	return "at the age of " + Span(d.Age)
}

// ending is how a worker ended, as it follows "it".
func (d *Death) ending() string {
	switch {
	case d.Cause != "":
		return "could not be started"
	case d.Signal != 0 && d.Core:
		return "was killed by " + SignalName(d.Signal) + " (core dumped)"
	case d.Signal != 0:
		return "was killed by " + SignalName(d.Signal)
	}
	return "ended with exit status " + strconv.Itoa(d.Exit)
}

// inHand tells that a client was lost with a worker.
func (d *Death) inHand() string {
	if d.Busy {
		return " with a client in hand"
	}
	return ""
}

// limitName is what the most workers are called in its configuration.
func (s *Service) limitName() string {
	if strings.HasSuffix(s.File, "master.cf") {
		return "column maxproc"
	}
	return "workers.max"
}

// commandName is what the program is called in its configuration.
func (s *Service) commandName() string {
	if strings.HasSuffix(s.File, "master.cf") {
		return "column command"
	}
	return "command"
}

// place is where the operator changes the service.
func (s *Service) place() string {
	if s.File == "" {
		return "its configuration"
	}
	if s.Line == 0 {
		return s.File
	}
	return s.File + ":" + strconv.Itoa(s.Line)
}

func (s *Service) user() string {
	if s.User == "" {
		return "brood itself"
	}
	return s.User
}

// asUser is " as USER" where the user is known.
func (s *Service) asUser() string {
	if s.User == "" {
		return ""
	}
	return " as " + s.User
}

// parseCause takes the text of a failed step apart: "cannot STEP: REASON".
func parseCause(text string) (step, reason string) {
	rest, ok := strings.CutPrefix(text, "cannot ")
	step, reason, found := strings.Cut(rest, ": ")
	if !ok || !found {
		return "", text
	}
	return step, reason
}

// quoteMost is how much of a line is repeated.
const quoteMost = 400

// quote puts a line of a program between quotes, cut where it is long.
func quote(line string) string {
	if len(line) > 1 && strings.HasPrefix(line, "\"") && strings.HasSuffix(line, "\"") {
		line = line[1 : len(line)-1] // As Postfix's log has it.
	}
	if runes := []rune(line); len(runes) > quoteMost {
		line = string(runes[:quoteMost]) + "…"
	}
	return "\"" + line + "\""
}

// stop ends a sentence.
func stop(text string) string {
	if strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// sentence makes a text one: a large letter first, a full stop last.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return stop(strings.ToUpper(text[:1]) + text[1:])
}
