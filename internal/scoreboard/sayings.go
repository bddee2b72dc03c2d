package scoreboard

import (
	"regexp"
	"strings"
	"sync"
)

// This file reads what programs say when they fail: the lines that a dying
// worker wrote last, and the texts of failed system calls. Each saying has its
// row; the first that matches explains the death.

// lazy makes a pattern ready when it is first needed: the daemon has this package
// too, and never reads what it says.
func lazy(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// saying is one kind of complaint.
type saying struct {
	pattern func() *regexp.Regexp
	// cause says what it means; $1 is what the pattern found. do is what the
	// operator can do.
	cause, do string
	// named wants a path in the line, which replaces FILE.
	named bool
	// anywhere has the pattern matched against all lines together.
	anywhere bool
}

var sayings = []saying{
	{
		pattern: lazy(`rror (?:while )?loading shared librar(?:ies|y):? ([^:\s]+): ?(?:cannot open|No such file|.*needed by)`),
		cause:   "its program needs the shared library $1, which is not found",
		do:      "install the package that has $1, or set LD_LIBRARY_PATH in env",
	},
	{
		pattern: lazy("version `([^']+)' not found"),
		cause:   "its program needs the version $1 of a shared library, and this machine has an older one",
		do:      "install a program that was built for this machine, or newer libraries",
	},
	{
		pattern: lazy(`fatal: in parameter (\S+)`),
		cause:   "a setting in main.cf is refused: $1",
		do:      "correct $1 in main.cf, as its last words say",
	},
	{
		pattern: lazy(`fatal: (?:main\.cf|bad (?:string|numerical|boolean|parameter)[^:]*|parameter "?|invalid )[: ]*"?([a-z_0-9]+)`),
		cause:   "a setting in main.cf is refused: $1",
		do:      "correct $1 in main.cf, as its last words say",
	},
	{
		pattern: lazy(`unsupported dictionary type: (\S+)`),
		cause:   "Postfix has no table type $1 here",
		do:      "install the package for it, such as postfix-$1, or use another type in main.cf",
	},
	{
		pattern: lazy(`(?i)address already in use`),
		cause:   "its program binds an address itself, which is in use",
		do:      "have the program use the socket that brood hands over, or stop the other one",
	},
	{
		pattern: lazy(`(?i)(?:fork|clone|thread|vfork|pthread_create|new process)[^|]*resource temporarily unavailable|resource temporarily unavailable[^|]*(?:fork|thread)|can't start new thread|retry: no child processes|cannot fork`),
		cause:   "the limit of processes and threads is reached (limits.nproc, RLIMIT_NPROC, or pids.max of its cgroup), and it could not have another",
		do:      "raise limits.nproc, or find what else that user runs: \"ps -u USER -L\"",
	},
	{
		pattern:  lazy(`(?is)\b(?:fork|clone|start_new_thread|pthread_create|spawn)\w*\(.*(?:resource temporarily unavailable|EAGAIN)`),
		cause:    "the limit of processes and threads is reached (limits.nproc, RLIMIT_NPROC, or pids.max of its cgroup), and it could not have another",
		do:       "raise limits.nproc, or find what else that user runs: \"ps -u USER -L\"",
		anywhere: true,
	},
	{
		pattern: lazy(`(?i)cannot allocate memory|out of memory|MemoryError|bad_alloc|failed to map segment|memory exhausted|failed to reserve .*memory|cannot reserve`),
		cause:   "it was refused the memory that it asked for: a limit (limits.as, limits.data, or that of its cgroup), or the machine has none left",
		do:      "raise limits.as, or have it use less",
	},
	{
		pattern: lazy(`(?i)too many open files`),
		cause:   "it has used up its descriptors (limits.nofile)",
		do:      "raise limits.nofile, or find what it leaves open",
	},
	{
		pattern: lazy(`(?i)no space left on device|disk quota exceeded`),
		cause:   "a disk is full",
		do:      "make room: \"df -h\" and \"df -i\" tell where",
	},
	{
		pattern: lazy(`(?i)read-only file system`),
		cause:   "it writes to FILE, which is on a file system that is mounted read-only",
		do:      "have it write elsewhere, or mount that with rw",
		named:   true,
	},
	{
		pattern: lazy(`(?i)(?:key|cert|\.pem|\.crt)[^|]*(?:permission denied|EACCES)|(?:permission denied|EACCES)[^|]*(?:key|cert|\.pem|\.crt)`),
		cause:   "it may not read the certificate or key file FILE",
		do:      "let its user read FILE, for example by a group: chgrp and chmod 0640",
		named:   true,
	},
	{
		pattern: lazy(`(?i)permission denied|EACCES`),
		cause:   "it may not use FILE",
		do:      "let its user do so (chown, chmod, and x on each directory above), or name another user",
		named:   true,
	},
	{
		pattern: lazy(`(?i)operation not permitted|EPERM`),
		cause:   "it did something that its user may not do",
		do:      "name a user who may, or have the program not do it",
	},
	{
		pattern: lazy(`ModuleNotFoundError: No module named '?([^'\s]+)`),
		cause:   "the Python module $1 is not found",
		do:      "install $1 for the interpreter that runs it, or name the one of its virtual environment in command",
	},
	{
		pattern: lazy(`Can't locate (\S+) in @INC`),
		cause:   "the Perl module $1 is not found",
		do:      "install it, or set PERL5LIB in env",
	},
	{
		pattern: lazy(`cannot load such file -- (\S+)`),
		cause:   "the Ruby library $1 is not found",
		do:      "install the gem for the interpreter that runs it (bundle install), or set GEM_HOME in env",
	},
	{
		pattern: lazy(`Could not find or load main class (\S+)`),
		cause:   "the Java class $1 is not found",
		do:      "correct the class path in command or in CLASSPATH",
	},
	{
		pattern: lazy(`Cannot find (?:module|package) '([^']+)'`),
		cause:   "the module $1 is not found",
		do:      "install it where the program is (npm install); if it is a file of yours, correct command or directory",
	},
	{
		pattern: lazy(`(?:exec|sh|bash|env)\S*:.*?([^\s:'‘’"]+)['’"]?: (?:command )?not found`),
		cause:   "a command that it runs is not found: $1",
		do:      "install $1, or set PATH in env",
	},
	{
		pattern: lazy(`(?i)no such file or directory|ENOENT|does not exist|can't open file`),
		cause:   "it needs FILE, which does not exist",
		do:      "put FILE in place, or correct the path in its settings",
		named:   true,
	},
	{
		pattern: lazy(`unknown service: (\S+)`),
		cause:   "it does not find the service $1: /etc/services cannot be read where it looks",
		do:      "copy /etc/services to etc/services below its root, or run it outside of a chroot",
	},
	{
		pattern: lazy(`(?i)connection refused`),
		cause:   "something that it needs refuses connections",
		do:      "start that first: its last words name it",
	},
}

// heard finds the saying that explains the last words, and the line that has
// it.
func heard(words []string) (says *saying, line string, found []string) {
	all := strings.Join(words, "\n")
	for i := range sayings {
		if sayings[i].anywhere {
			if sayings[i].pattern().MatchString(all) {
				return &sayings[i], telling(words), nil
			}
			continue
		}
		for k := len(words) - 1; k >= 0; k-- {
			m := sayings[i].pattern().FindStringSubmatch(words[k])
			if m != nil && (!sayings[i].named || fileIn(words[k]) != "") {
				return &sayings[i], words[k], m
			}
		}
	}
	return nil, "", nil
}

// fill puts what was found into a text of a saying.
func fill(text string, found []string, line string) string {
	if len(found) > 1 {
		text = strings.ReplaceAll(text, "$1", strings.TrimRight(found[1], ".,;:\"'"))
	}
	return strings.ReplaceAll(text, "FILE", fileIn(line))
}

// How a line looks that says what was wrong, the surest first.
var fatal, alarming = lazy(`\b(?:fatal|panic):`), lazy(`(?i)\b(?:fatal|panic|error|exception|cannot|can't|denied|failed|refused|no such|not found|segfault|abort)`)

// telling is the one of the last words that says most: the last that looks like
// a complaint, or else the last.
func telling(words []string) string {
	for _, pattern := range []func() *regexp.Regexp{fatal, alarming} {
		for k := len(words) - 1; k >= 0; k-- {
			if pattern().MatchString(words[k]) {
				return words[k]
			}
		}
	}
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// pathQuoted and pathBare are how a file is named in a line.
var (
	pathQuoted = lazy(`['"‘“` + "`" + `](/[^'"’”]+)['"’”]`)
	pathBare   = lazy(`(?:^|[\s(=:\[])(/[^\s'":;,()\]]+)`)
	nameBefore = lazy(`(?:open|read|load|access|stat|cat:) ['"‘“]?([\w.@/-]*[\w/-])['"’”]?:`)
)

// fileIn is the file that a complaint names; "" for none.
func fileIn(line string) string {
	for _, pattern := range []func() *regexp.Regexp{pathQuoted, pathBare, nameBefore} {
		if all := pattern().FindAllStringSubmatch(line, -1); all != nil {
			return strings.TrimRight(all[len(all)-1][1], ".")
		}
	}
	return ""
}

// Files are the absolute paths that the last words name, each once.
func (d *Death) Files() []string {
	var all []string
	seen := map[string]bool{}
	for _, line := range d.Words {
		if f := fileIn(line); strings.HasPrefix(f, "/") && !seen[f] {
			seen[f] = true
			all = append(all, f)
		}
	}
	return all
}
