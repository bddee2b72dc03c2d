package postfix

import (
	"fmt"
	"net"
	"net/textproto"
	"sync"
	"syscall"
	"testing"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/ports"
)

// A master that is killed while mail pours in takes no accepted message with
// it: its children finish what they have begun, with the help of the next
// master's, and that one finds the queue as it was.
func TestKilledMaster(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		sink := in.newSink().start()
		in.transport(map[string]string{"relay.test": sink.nexthop("relay")})
		pid := in.start()
		mailers := in.startMailers(10)
		await.That(in, "mail to pour in", func() bool { return len(mailers.accepted()) >= 200 })
		must(in, syscall.Kill(pid, syscall.SIGKILL))
		await.That(in, "the master to be gone", func() bool { return !alive(pid) })

		// The old smtpds hold the port until they have served their last
		// client, so the next master serves another one.
		in.drop(in.port(in.smtp) + " inet")
		in.smtp = ports.Free(t)
		in.row(in.port(in.smtp)+" inet", "n - y - - smtpd")
		in.write()
		if again := in.start(); again == pid {
			t.Errorf("the second master has the first one's pid in its file")
		}
		dial(t, address(in.smtp)).say(221, "QUIT")
		mailers.wait() // until nobody serves them any more
		in.hurried()
		arrived := in.byRecipient(sink.messages())
		for _, recipient := range mailers.accepted() {
			if arrived[recipient] == "" {
				t.Errorf("the message to %s was accepted and is lost", recipient)
			}
		}
		in.postfix("stop")
	}, mainlyBrood()...)
}

// An smtpd that is killed in the middle of a session costs that session, is
// told of, and nothing else happens; one that had served nobody before has its
// service held back for a while.
func TestKilledChild(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		in.row(in.port(in.smtp)+" inet", "n - y - 1 smtpd") // the same one for all sessions
		in.write()
		in.start()
		first := dial(t, address(in.smtp))
		first.say(221, "QUIT")
		second := dial(t, address(in.smtp))
		second.say(250, "EHLO client.test")
		victims := in.children("smtpd")
		if len(victims) != 1 {
			t.Fatalf("the sessions are served by %v, not by one smtpd", victims)
		}
		in.hasHeard()
		from := in.mark()
		must(in, syscall.Kill(victims[0], syscall.SIGKILL))
		in.await(from, fmt.Sprintf(`master\[\d+\]: warning: process %s/smtpd pid %d killed by signal 9`, in.sbin, victims[0]))
		if _, err := second.ReadLine(); err == nil {
			t.Error("the session went on")
		}
		third := dial(t, address(in.smtp))
		third.say(250, "EHLO client.test")
		if in.logged(from, "throttling") {
			t.Errorf("the service was throttled:\n%s", in.since(from))
		}

		// The third session's smtpd has not served anybody to the end.
		victims = in.children("smtpd")
		must(in, syscall.Kill(victims[0], syscall.SIGKILL))
		in.await(from, fmt.Sprintf(`master\[\d+\]: warning: .*%s/smtpd: bad command startup -- throttling`, in.sbin))
		dial(t, address(in.smtp)).say(221, "QUIT") // served when the throttle ends
	}, both()...)
}

// hasHeard waits until the master has read what its children had told it before:
// it has since given birth to one daemon and, when that had told that it has a
// client, to another. Postfix's own reads one word of each service at a time.
func (in *instance) hasHeard() {
	in.Helper()
	for n := 1; n <= 2; n++ {
		c, err := net.Dial("unix", in.queue+"/private/discard")
		must(in, err)
		in.Cleanup(func() { c.Close() })
		await.That(in, fmt.Sprint("the birth of daemon ", n), func() bool { return len(in.children("discard")) >= n }, in.processTable)
	}
}

// mailers are clients that send one message after the other, each to a
// recipient of its own, until the server turns them away.
type mailers struct {
	addr   string
	all    sync.WaitGroup
	mutex  sync.Mutex
	sent   []string // the recipients whose message was accepted
	halted bool
}

func (in *instance) startMailers(count int) *mailers {
	m := &mailers{addr: address(in.smtp)}
	for i := range count {
		m.all.Go(func() {
			for n := 0; ; n++ {
				recipient := fmt.Sprintf("m%d-%d@relay.test", i, n)
				if m.stopped() || m.send(recipient) != nil {
					return
				}
			}
		})
	}
	in.Cleanup(func() { m.halt(); m.wait() })
	return m
}

// send sends one message in a session of its own.
func (m *mailers) send(recipient string) error {
	raw, err := net.Dial("tcp", m.addr)
	if err != nil {
		return err
	}
	c := textproto.NewConn(raw)
	defer c.Close()
	for _, step := range []struct {
		say  string
		code int
	}{
		{"", 220},
		{"HELO client.test\r\n", 250},
		{"MAIL FROM:<load@brood.test>\r\n", 250},
		{"RCPT TO:<" + recipient + ">\r\n", 250},
		{"DATA\r\n", 354},
		{"Subject: load\r\n\r\nload\r\n.\r\n", 250},
	} {
		if _, err := raw.Write([]byte(step.say)); err != nil {
			return err
		}
		if _, _, err := c.ReadResponse(step.code); err != nil {
			return err
		}
	}
	m.mutex.Lock()
	m.sent = append(m.sent, recipient)
	m.mutex.Unlock()
	_ = c.PrintfLine("QUIT")
	return nil
}

// accepted are the recipients whose message the server has taken over.
func (m *mailers) accepted() []string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return append([]string(nil), m.sent...)
}

func (m *mailers) halt() {
	m.mutex.Lock()
	m.halted = true
	m.mutex.Unlock()
}

func (m *mailers) stopped() bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.halted
}

// wait waits until all of them have been turned away, or halted.
func (m *mailers) wait() { m.all.Wait() }
