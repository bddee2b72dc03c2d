package postfix

import "testing"

// A thousand messages, twenty sessions at a time, arrive in a local mailbox,
// each exactly once; and so do a thousand that are relayed.
func TestThousandMessages(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		sink := in.newSink().start()
		in.transport(map[string]string{"relay.test": sink.nexthop("relay")})
		in.set("smtpd_client_event_limit_exceptions", "") // so that anvil has work
		in.chroot()
		in.start()

		in.flood("user@virtual.test", 1000, 20).wait()
		in.exactlyOnce(1000, func() []string { return in.delivered("box") })
		in.seen("smtpd", "anvil", "cleanup", "trivial-rewrite", "qmgr", "virtual", "postlogd")

		in.flood("user@relay.test", 1000, 20).wait()
		in.exactlyOnce(1000, sink.messages)
		in.seen("smtp", "scache")
	}, mainlyBrood()...)
}
