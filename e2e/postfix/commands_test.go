package postfix

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/await"
)

// mailing is what the tests send with sendmail(1).
func mailing(subject string) string {
	return fmt.Sprintf("From: root@brood.test\nSubject: %s\n\nTo the mill.\n", subject)
}

// sendmail submits a message and returns nothing: the queue has it now.
func (in *instance) sendmail(to, subject string) {
	in.Helper()
	out, err := in.tryWith(mailing(subject), "sendmail", "-C", in.conf, "-f", "root@brood.test", to)
	if err != nil {
		in.Fatalf("sendmail: %v\n%s", err, out)
	}
}

// queueEntry is a line of postqueue -j.
type queueEntry struct {
	Queue string `json:"queue_name"`
	ID    string `json:"queue_id"`
}

// postqueue asks showq what waits.
func (in *instance) postqueue() []queueEntry {
	in.Helper()
	var entries []queueEntry
	for line := range strings.Lines(in.run("postqueue", "-c", in.conf, "-j")) {
		var e queueEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			in.Fatalf("postqueue -j printed %q: %v", line, err)
		}
		entries = append(entries, e)
	}
	return entries
}

// deferred waits until a single message is in the deferred queue, and returns
// its queue identifier.
func (in *instance) deferred() string {
	in.Helper()
	var entries []queueEntry
	await.That(in, "a deferred message", func() bool {
		entries = in.postqueue()
		return len(entries) == 1 && entries[0].Queue == "deferred"
	})
	return entries[0].ID
}

// The commands that an administrator types do what they always do.
func TestCommands(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		sink := in.newSink()
		in.transport(map[string]string{"relay.test": sink.nexthop("relay")})
		in.chroot()
		in.start()
		sub := func(name string, test func(in *instance)) {
			t.Run(name, func(t *testing.T) { test(in.within(t)) })
		}
		sub("sendmail", func(in *instance) {
			in.sendmail("user@virtual.test", "one")
			await.That(in, "the message in the mailbox", func() bool { return len(in.delivered("box")) == 1 })
			in.seen("pickup")
		})
		sub("sendmail -bp, postqueue -p, postcat", (*instance).lookAtQueue)
		sub("postsuper -h, -H", (*instance).holdAndRelease)
		sub("postqueue -f, -i, -s, sendmail -q, postfix flush", func(in *instance) { in.flushEachWay(sink) })
		sub("postsuper -r, -d", (*instance).requeueAndDelete)
	}, both()...)
}

// lookAtQueue has a message deferred and looks at it in all ways.
func (in *instance) lookAtQueue() {
	in.Helper()
	in.sendmail("user@relay.test", "two")
	id := in.deferred()
	for _, listing := range []string{
		in.run("sendmail", "-C", in.conf, "-bp"), in.run("postqueue", "-c", in.conf, "-p"),
	} {
		for _, want := range []string{id, "user@relay.test", "Connection refused", "1 Request"} {
			if !strings.Contains(listing, want) {
				in.Errorf("the listing lacks %q:\n%s", want, listing)
			}
		}
	}
	content := in.run("postcat", "-c", in.conf, "-q", id)
	if !strings.Contains(content, "To the mill.") || !strings.Contains(content, "Subject: two") {
		in.Errorf("postcat shows:\n%s", content)
	}
	in.seen("showq", "smtp", "bounce")
}

// holdAndRelease holds the one message of the queue and lets it go again.
func (in *instance) holdAndRelease() {
	in.Helper()
	id := in.deferred()
	in.run("postsuper", "-c", in.conf, "-h", id)
	if e := in.postqueue(); len(e) != 1 || e[0].Queue != "hold" {
		in.Errorf("after postsuper -h the queue holds %+v", e)
	}
	in.run("postsuper", "-c", in.conf, "-H", id)
	if again := in.deferred(); again != id {
		in.Errorf("after postsuper -H the message is %s, not %s", again, id)
	}
}

// flushEachWay has the message that waits delivered, and then one more for each
// other way to ask for a delivery.
func (in *instance) flushEachWay(sink *sink) {
	in.Helper()
	for i, ask := range []func(id string){
		func(string) { in.run("postqueue", "-c", in.conf, "-f") },
		func(id string) { in.run("postqueue", "-c", in.conf, "-i", id) },
		func(string) { in.run("postqueue", "-c", in.conf, "-s", "relay.test") },
		func(string) { in.run("sendmail", "-C", in.conf, "-q") },
		func(string) { in.postfix("flush") },
	} {
		if i > 0 {
			in.sendmail("user@relay.test", "three")
		}
		id := in.deferred()
		sink.start()
		ask(id)
		await.That(in, "the message at the sink", func() bool { return len(sink.messages()) == i+1 })
		await.That(in, "the queue to be empty", in.queueIsEmpty)
		sink.stop()
	}
	in.seen("flush")
}

// requeueAndDelete gives a message a second pass through the queue, and deletes
// it.
func (in *instance) requeueAndDelete() {
	in.Helper()
	in.sendmail("user@relay.test", "four")
	id := in.deferred()
	from := in.mark()
	in.run("postsuper", "-c", in.conf, "-r", id)
	in.run("postqueue", "-c", in.conf, "-f")
	in.await(from, `pickup\[\d+\]: .*orig_id=`+regexp.QuoteMeta(id))
	await.That(in, "the message to have a new name", func() bool {
		e := in.postqueue()
		return len(e) == 1 && e[0].ID != id && e[0].Queue == "deferred"
	})
	in.run("postsuper", "-c", in.conf, "-d", in.deferred())
	if e := in.postqueue(); len(e) != 0 || !in.queueIsEmpty() {
		in.Errorf("after postsuper -d the queue holds %+v", e)
	}
}
