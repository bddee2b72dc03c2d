package plan

import (
	"slices"
	"strconv"

	"github.com/brood-project/brood/internal/pool"
)

// masterRow compares two rows of master.cf with what main.cf adds to them. A
// reload renews all children of Postfix, so all of it concerns their birth.
func (d *differences) masterRow(old, next *Service) {
	d.listen("inet_interfaces or service", old, next)
	if old.Name != next.Name {
		d.birth("service", old.Name, next.Name)
	}
	a, b := rowOf(old), rowOf(next)
	d.birth("unpriv", yes(a.unprivileged), yes(b.unprivileged))
	d.birth("chroot", yes(a.chroot), yes(b.chroot))
	d.birth("wakeup", wakeup(old.Policy), wakeup(next.Policy))
	d.birth("maxproc", strconv.Itoa(old.Policy.Limit), strconv.Itoa(next.Policy.Limit))
	d.birth("command + args", words(a.command), words(b.command))
	if old.Command.Path != next.Command.Path {
		d.birth("daemon_directory", old.Command.Path, next.Command.Path)
	}
	d.birth("queue_directory", old.Command.Dir, next.Command.Dir)
	d.environment("import_environment", old.Command.Env, next.Command.Env)
	d.birth("service_throttle_time", span(old.Policy.Throttle), span(next.Policy.Throttle))
	if len(d.list) == 0 {
		d.note("main.cf", "what it says of the service differs", true)
	}
}

// row is what the columns of master.cf have become.
type row struct {
	unprivileged, chroot bool
	command              []string
}

// rowOf takes what master(8) adds to the arguments off again: it always adds it in
// the same order.
func rowOf(s *Service) row {
	var r row
	args := s.Command.Args
	if len(args) == 0 {
		return r
	}
	r.command = []string{args[0]}
	args = args[1:]
	skip := func(n int, words ...string) bool {
		found := len(args) >= n && slices.Equal(args[:len(words)], words)
		if found {
			args = args[n:]
		}
		return found
	}
	if !skip(1, "-l") {
		skip(1, "-z")
	}
	skip(2, "-n")
	skip(2, "-t")
	for len(args) > 0 && (args[0] == "-d" || args[0] == "-v") {
		r.command = append(r.command, args[0])
		args = args[1:]
	}
	r.unprivileged = skip(1, "-u")
	r.chroot = skip(1, "-c")
	if s.Policy.Stress {
		skip(2, "-o", "stress=")
	}
	if len(s.Endpoints) > 1 {
		skip(2, "-s", strconv.Itoa(len(s.Endpoints)))
	}
	r.command = append(r.command, args...)
	return r
}

func yes(on bool) string {
	if on {
		return "y"
	}
	return "n"
}

// wakeup is the column of that name.
func wakeup(p *pool.Policy) string {
	text := strconv.FormatInt(int64(p.Wakeup/pool.Second), 10)
	if p.WakeupOnUse {
		text += "?"
	}
	return text
}
