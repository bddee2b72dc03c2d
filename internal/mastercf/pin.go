package mastercf

import (
	"fmt"

	"github.com/brood-project/brood/internal/plan"
)

// pinRunning keeps, on a reload, what cannot change while master runs: the
// directory that it works in and has its locks in, and the protocols. What
// main.cf says instead is told as a warning.
func (l *loader) pinRunning() {
	old := l.options.Running
	if old == nil {
		return
	}
	l.pinValue("config_directory", old.ConfigDir, l.config.ConfigDir)
	l.config.ConfigDir = old.ConfigDir
	for _, kept := range []struct{ name, value string }{
		{"queue_directory", old.QueueDir},
		{"inet_protocols", old.InetProtocols},
	} {
		now, err := l.params.Value(kept.name)
		if err != nil {
			continue // told where the value is read
		}
		l.pinValue(kept.name, kept.value, now)
	}
}

func (l *loader) pinValue(name, old, now string) {
	if now == old {
		return
	}
	l.add(plan.Warning, l.params.Pos(name), 0,
		fmt.Sprintf("the change of %s from %s to %s is ignored while master runs", name, quote(old), quote(now)),
		"stop and start Postfix to change it",
		fmt.Sprintf("ignoring %s parameter value change\nold value: \"%s\", new value: \"%s\"\n"+
			"to change %s, stop and start Postfix", name, old, now, name))
	l.params.pin(name, old)
}
