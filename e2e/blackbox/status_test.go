package blackbox

import (
	"fmt"
	"strings"
	"testing"
)

var statusRows = []row{
	{"status/unknown-pid", "a record with a pid that is nobody's child changes nothing", statusUnknownPid},
	{"status/wrong-generation", "a record with a wrong generation is ignored and logged", statusWrongGeneration},
	{"status/same-again", "the same status again is ignored", statusSameAgain},
	{"status/unknown-status", "an unknown status is ignored with a warning", statusUnknown},
	{"status/short-record", "a short record is a warning and nothing else", statusShort},
	{"status/uses-are-counted", "only a change from taken to available is a use", statusUses},
}

// reporter is a child of a service of at most two, and its instance.
func reporter(t *testing.T, m master) (*instance, *child) {
	in := newInstance(t, m)
	in.set("service_throttle_time = 1h")
	in.service("svc unix - - n - 2 fake")
	in.start()
	in.dial("svc")
	c := in.child("svc")
	c.accept()
	return in, c
}

func statusUnknownPid(t *testing.T, m master) {
	in, c := reporter(t, m)
	c.send(record(1, c.generation(), statusTaken))
	c.send(record(0, c.generation(), statusTaken))
	c.send(record(-1, c.generation(), statusTaken))
	in.dial("svc")
	in.noBirth() // still available
	// Postfix passes over it in silence; ours knows who sent it and says so, see
	// difference/forged-status.
	if n := in.log.count("^(warning|fatal|panic)|ignoring"); n != 0 && !m.ours() {
		t.Errorf("%d lines were logged", n)
	}
}

func statusWrongGeneration(t *testing.T, m master) {
	in, c := reporter(t, m)
	c.send(record(c.PID, c.generation()+7, statusTaken))
	in.log.want(t, fmt.Sprintf("info: ignoring status update from child pid %d generation %d", c.PID, c.generation()+7))
	in.dial("svc")
	in.noBirth()
}

func statusSameAgain(t *testing.T, m master) {
	in, c := reporter(t, m)
	c.report(statusAvailable)
	c.report(statusAvailable)
	in.dial("svc")
	in.noBirth()
	for range 3 {
		c.report(statusTaken)
	}
	second := in.child("svc")
	c.report(statusAvailable)
	c.report(statusAvailable)
	second.take()
	in.dial("svc")
	in.noBirth() // one is available, whatever was said twice
	c.report(statusTaken)
	in.noBirth() // and the limit is two
}

func statusUnknown(t *testing.T, m master) {
	in, c := reporter(t, m)
	c.send(record(c.PID, c.generation(), 4711))
	line := in.log.wait(t, "^warning: .*unknown status")
	// Postfix has the two numbers the wrong way round.
	for _, number := range []int{c.PID, 4711} {
		if !strings.Contains(line.Text, fmt.Sprint(number)) {
			t.Errorf("the warning does not name %d: %s", number, line.Text)
		}
	}
	in.dial("svc")
	in.noBirth()
}

func statusShort(t *testing.T, m master) {
	in, c := reporter(t, m)
	c.send([]byte("short"))
	// Postfix takes the pid from the fragment.
	in.log.wait(t, `^warning: service .*svc.*child \(pid \d+\) sent partial.* \(?5 bytes`)
	in.barrier()
	c.report(statusTaken) // whole records are understood afterwards
	in.dial("svc")
	in.child("svc").take()
}

func statusUses(t *testing.T, m master) {
	in, c := reporter(t, m)
	for range 3 {
		c.report(statusAvailable) // no change: it is available from birth
	}
	in.barrier()
	c.exit(1)
	in.log.wait(t, "bad command startup -- throttling")
}
