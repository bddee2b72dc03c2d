package postfix

import (
	"fmt"
	"net"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/ports"
)

// Five reloads while mail pours in cost no message and no connection.
func TestReloadUnderLoad(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		sink := in.newSink().start()
		in.transport(map[string]string{"relay.test": sink.nexthop("relay")})
		pid := in.start()
		const messages, reloads = 1000, 5
		load := in.flood("user@relay.test", messages, 20)
		for i := range reloads {
			await.That(in, "mail to pour in", func() bool { return len(sink.messages()) >= i*messages/(reloads+1) })
			in.reload()
		}
		load.wait()
		in.hurried()
		in.exactlyOnce(messages, sink.messages)
		if in.master() != pid || !alive(pid) {
			in.Error("the master was replaced")
		}
	}, mainlyBrood()...)
}

// A reload applies what changed in master.cf: new rows, rows that are gone, and
// other arguments.
func TestReloadChangesServices(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		in.start()
		other := in.port(ports.Free(t)) + " inet"
		addr := "127.0.0.1:" + regexp.MustCompile(`^\d+`).FindString(other)

		in.row(other, "n - y - - smtpd -o smtpd_banner=one")
		in.write()
		in.reload()
		await.That(in, "the new service", func() bool { return listening(addr) })
		first := dialFrom(t, "127.0.0.1", addr)
		first.greets("one")

		in.row(other, "n - y - - smtpd -o smtpd_banner=two")
		in.write()
		in.reload()
		await.That(in, "the new arguments", func() bool {
			d := dialFrom(t, "127.0.0.1", addr)
			defer d.Close()
			_, text, err := d.ReadResponse(220)
			return err == nil && text == "two"
		})
		first.say(250, "NOOP") // a session goes on under the arguments it began with

		in.drop(other)
		in.write()
		in.reload()
		await.That(in, "the service to be gone", func() bool { return !listening(addr) })
		dial(t, address(in.smtp)).say(221, "QUIT")
	}, both()...)
}

// greets asserts what the server's greeting says.
func (d *dialog) greets(want string) {
	d.t.Helper()
	if text := d.expect(220); text != want {
		d.t.Errorf("the server's greeting is %q, not %q", text, want)
	}
}

// A reload that cannot be carried out changes nothing: the log says where the
// mistake stands, the old services go on, and the reload after the correction
// brings what was asked for. Postfix's own master dies of each of these.
func TestFailedReload(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		pid := in.start()
		for _, mistake := range mistakes() {
			t.Run(mistake.name, func(t *testing.T) {
				in := in.within(t)
				session := dial(t, address(in.smtp))
				port := ports.Free(t)
				fresh := in.port(port) + " inet"
				in.row(fresh, "n - y - - smtpd") // is to come with the same reload
				mend := mistake.make(in, port)
				in.write()

				from := in.mark()
				in.hangUp()
				in.await(from, regexp.QuoteMeta(in.conf)+mistake.says(in, fresh))
				session.say(250, "NOOP")
				dial(t, address(in.smtp)).say(221, "QUIT")
				if in.master() != pid || !alive(pid) {
					t.Fatal("the master was replaced")
				}

				mend()
				in.write()
				in.reload()
				await.That(in, "the new service", func() bool { return listening(address(port)) })
				session.say(250, "NOOP")
				session.say(221, "QUIT")
			})
		}
	}, brood)
}

// mistake is one way to have a reload fail.
type mistake struct {
	name string
	// make makes the mistake in an instance that is about to get a service at
	// a port, and returns what mends it.
	make func(in *instance, port int) (mend func())
	// says is what the log must say after the name of the configuration
	// directory; fresh is the key of the new service's row.
	says func(in *instance, fresh string) string
}

func mistakes() []mistake {
	inMaster := func(key string) func(*instance, string) string {
		return func(in *instance, _ string) string { return fmt.Sprintf(`/master\.cf:%d\b`, in.line(key)) }
	}
	broken := func(key, columns string) func(*instance, int) func() {
		return func(in *instance, _ int) func() {
			in.row(key, columns)
			return func() { in.drop(key) }
		}
	}
	return []mistake{
		{"a row without all its columns", broken("short inet", "n - y"), inMaster("short inet")},
		{"a transport that does not exist", broken("queer pigeon", "n - y - - smtpd"), inMaster("queer pigeon")},
		{"a bad number of processes", broken("many unix", "n - y - lots smtpd"), inMaster("many unix")},
		{"a private inet service", broken("1 inet", "y - y - - smtpd"), inMaster("1 inet")},
		{"a host without an address", broken("no.such.host.invalid:1 inet", "n - y - - smtpd"), inMaster("no.such.host.invalid:1 inet")},
		{"a port without a name", broken("nosuchport inet", "n - y - - smtpd"), inMaster("nosuchport inet")},
		{
			"a port that another process has",
			func(in *instance, port int) func() {
				rival, err := net.Listen("tcp", address(port))
				must(in, err)
				return func() { must(in, rival.Close()) }
			},
			func(in *instance, fresh string) string {
				return fmt.Sprintf(`/master\.cf:%d\b.*in use`, in.line(fresh))
			},
		},
		{"an address that no interface has", broken("192.0.2.77:1 inet", "n - y - - smtpd"), inMaster("192.0.2.77:1 inet")},
	}
}

// hangUp asks the master itself to reload. postfix(1) looks at the files first
// and does not even ask when it does not like them.
func (in *instance) hangUp() {
	in.Helper()
	must(in, syscall.Kill(in.master(), syscall.SIGHUP))
}

// A change of inet_interfaces is applied by a reload. Postfix's own master
// ignores it until it is stopped and started.
func TestReloadInterfaces(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		const one = "127.0.0.1"
		two := otherAddress(t)
		in.set("inet_protocols", protocolsFor(two))
		pid := in.start()
		for _, step := range []struct {
			interfaces string
			open, shut []string
		}{
			{one + ", " + two, []string{one, two}, nil},
			{two, []string{two}, []string{one}},
			{one, []string{one}, []string{two}},
			{"all", []string{one, two, "127.0.0.77"}, nil},
			{one + ", " + two, []string{one, two}, []string{"127.0.0.77"}},
			{"all", []string{one, two, "127.0.0.77"}, nil},
			{one, []string{one}, []string{two, "127.0.0.77"}},
		} {
			in.applies(step.interfaces, step.open, step.shut)
		}
		if in.master() != pid || !alive(pid) {
			t.Error("the master was replaced")
		}
	}, brood)
}

// An address that is taken away turns clients away at once, although a child
// that serves somebody still holds its socket.
func TestReloadInterfacesWithBusyChild(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		two := otherAddress(t)
		in.set("inet_protocols", protocolsFor(two))
		in.set("inet_interfaces", "127.0.0.1, "+two)
		in.start()
		session := dial(t, address(in.smtp))
		in.applies("127.0.0.1", []string{"127.0.0.1"}, []string{two})
		session.say(250, "NOOP")
		session.say(221, "QUIT")
	}, brood)
}

// applies reloads with another value of inet_interfaces, and waits until smtpd
// greets at some addresses and nobody listens at others.
func (in *instance) applies(interfaces string, open, shut []string) {
	in.Helper()
	in.set("inet_interfaces", interfaces)
	in.reload()
	at := func(host string) string { return net.JoinHostPort(host, strconv.Itoa(in.smtp)) }
	for _, host := range open {
		await.That(in, host+" to be open with inet_interfaces = "+interfaces, func() bool { return greeted(in.T, at(host)) })
	}
	for _, host := range shut {
		await.That(in, host+" to be shut with inet_interfaces = "+interfaces, func() bool { return !listening(at(host)) })
	}
}

// otherAddress is an address of this machine that is not 127.0.0.1: Postfix
// takes none that no interface has.
func otherAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	must(t, err)
	other := ""
	for _, a := range all {
		ip := a.(*net.IPNet).IP
		if ip.Equal(net.IPv6loopback) {
			return ip.String()
		}
		if ip.To4() != nil && !ip.IsLoopback() {
			other = ip.String()
		}
	}
	if other == "" {
		t.Fatal("this test needs ::1 or a second IPv4 address")
	}
	return other
}

// protocolsFor is the value of inet_protocols that lets Postfix use an address.
func protocolsFor(addr string) string {
	if strings.Contains(addr, ":") {
		return "all"
	}
	return "ipv4"
}

// greeted tells whether a server at an address greets its clients.
func greeted(t *testing.T, addr string) bool {
	t.Helper()
	if !listening(addr) {
		return false
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(await.Patience)))
	_, _, err = textproto.NewConn(c).ReadResponse(220)
	return err == nil
}

// While inet_interfaces changes back and forth, no client of the address that
// stays is turned away.
func TestReloadInterfacesUnderLoad(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		sink := in.newSink().start()
		in.transport(map[string]string{"relay.test": sink.nexthop("relay")})
		two := otherAddress(t)
		in.set("inet_protocols", protocolsFor(two))
		in.start()
		const messages = 500
		load := in.flood("user@relay.test", messages, 10)
		for i, interfaces := range []string{"127.0.0.1, " + two, "127.0.0.1", two + ", 127.0.0.1", "127.0.0.1"} {
			await.That(in, "mail to pour in", func() bool { return len(sink.messages()) >= i*messages/5 })
			in.set("inet_interfaces", interfaces)
			in.reload()
		}
		load.wait()
		in.hurried()
		in.exactlyOnce(messages, sink.messages)
	}, brood)
}
