package postfix

import (
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/await"
)

// An administrator puts our master into the place of Debian's while that one
// runs, restarts, and goes back later: the commands of the one stop the other,
// and the queue is the same to both.
func TestUpgradeAndBack(t *testing.T) {
	t.Parallel()
	in := newInstance(t, stock)
	sink := in.newSink()
	in.transport(map[string]string{"relay.test": sink.nexthop("relay")})
	pid := in.start()
	for i, next := range []flavour{brood, stock} {
		in.sendmail("user@relay.test", "from "+in.programOf(pid))
		id := in.deferred()
		in.use(next)
		in.postfix("status")
		in.refused("start", "the Postfix mail system is already running")
		in.postfix("stop")
		in.gone(pid)
		pid = in.start()
		if program := in.programOf(pid); !strings.HasSuffix(program, "/master") {
			t.Errorf("the master is %s", program)
		}
		if again := in.deferred(); again != id {
			t.Errorf("the message is %s after the change and was %s", again, id)
		}
		sink.start()
		in.postfix("flush")
		await.That(in, "the message at the sink", func() bool { return len(sink.messages()) == i+1 })
		await.That(in, "the queue to be empty", in.queueIsEmpty)
		sink.stop()
		in.reload()
		dial(t, address(in.smtp)).say(221, "QUIT")
	}
	in.postfix("stop")
	in.gone(pid)
}
