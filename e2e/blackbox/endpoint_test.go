package blackbox

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/ports"
)

var endpointRows = []row{
	{"endpoint/unix", "a stream socket below private/ or public/, mode 0666, owned by the mail owner", endpointUnix},
	{"endpoint/pass", "a stream socket, as unix", endpointPass},
	{"endpoint/unix-dgram", "a datagram socket, mode 0666, owned by the mail owner", endpointDatagram},
	{"endpoint/fifo", "mode 0622, opened read-write, owned by the mail owner", endpointFifo},
	{"endpoint/fifo-drained", "what an old fifo held is thrown away at start", endpointFifoDrained},
	{"endpoint/stale-file-replaced", "what lies in an endpoint's place is replaced", endpointStale},
	{"endpoint/subdirectory-name", "the private column decides the directory", endpointPrivate},
	{"endpoint/backlog", "the backlog is max(maxproc, default_process_limit), for inet and unix", endpointBacklog},
	{"endpoint/reuseaddr", "an inet endpoint is bound with SO_REUSEADDR", endpointReuse},
	{"endpoint/cloexec-and-nonblock", "every descriptor that the master keeps is close-on-exec; its listeners do not block", endpointFlags},
	{"endpoint/port-by-name", "a port is a number, else a known_tcp_ports name, else one of services(5)", endpointPortNames},
	{"endpoint/host-forms", "host:port and [v6]:port", endpointHosts},
	{"endpoint/interfaces-all", "inet_interfaces all: wildcards, one socket for each family", endpointAll},
	{"endpoint/interfaces-loopback-only", "loopback-only: the loopback addresses", endpointLoopback},
	{"endpoint/interfaces-list", "a list: exactly these addresses, in the order of their bytes", endpointList},
	{"endpoint/protocols", "only the families of inet_protocols", endpointProtocols},
	{"endpoint/explicit-host-ignores-interfaces", "a host in the row stands above inet_interfaces", endpointExplicit},
	{"endpoint/service-disable", "master_service_disable: type, name/type, !pattern; the first match wins", endpointDisable},
}

// fileState is what ls -l would show.
func fileState(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	owner := strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid))
	if info.Sys().(*syscall.Stat_t).Uid == uint32(ownerID(t)) {
		owner = mailOwner
	}
	return fmt.Sprintf("%v %s", info.Mode(), owner)
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if got := fileState(t, path); got != want {
		t.Errorf("%s is %s, not %s", path, got, want)
	}
}

func endpointUnix(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("priv unix y - n - 1 fake", "publ unix n - n - 1 fake")
	in.start()
	wantFile(t, in.path("queue/private/priv"), "Srw-rw-rw- "+mailOwner)
	wantFile(t, in.path("queue/public/publ"), "Srw-rw-rw- "+mailOwner)
	in.dial("priv")
	in.child("priv").accept()
	in.dial("publ")
	in.child("publ").accept()
}

func endpointPass(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc pass - - n - 1 fake")
	in.start()
	wantFile(t, in.path("queue/private/svc"), "Srw-rw-rw- "+mailOwner)
	in.dial("svc")
	in.child("svc").accept()
}

func endpointDatagram(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix-dgram n - n - 1 fake")
	in.start()
	wantFile(t, in.endpoint("svc"), "Srw-rw-rw- "+mailOwner)
	conn := in.dialAt("unixgram", in.endpoint("svc"))
	if _, err := conn.Write([]byte("one record")); err != nil {
		t.Fatal(err)
	}
	c := in.child("svc")
	if a := c.must(order{Do: "read", FD: listenFd, N: 64}); string(a.Data) != "one record" {
		t.Errorf("the child read %q", a.Data)
	}
}

func endpointFifo(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc fifo n - n - 1 fake")
	in.start()
	wantFile(t, in.endpoint("svc"), "prw--w--w- "+mailOwner)
	in.must(os.WriteFile(in.endpoint("svc"), []byte("hello"), 0))
	c := in.child("svc")
	if a := c.must(order{Do: "read", FD: listenFd, N: 64}); string(a.Data) != "hello" {
		t.Errorf("the child read %q", a.Data)
	}
	if mode := descriptorFlags(c.PID, listenFd) & syscall.O_ACCMODE; mode != syscall.O_RDWR {
		t.Errorf("the fifo is open with access mode %d", mode)
	}
}

func endpointFifoDrained(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc fifo n - n - 1 fake")
	path := in.path("queue/public/svc")
	in.must(unix.Mkfifo(path, 0o622))
	in.must(os.Chown(path, ownerID(t), -1))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	in.must(err)
	defer f.Close()
	_, err = f.WriteString("from before")
	in.must(err)
	in.start()
	in.noBirth()
	in.must(os.WriteFile(path, []byte("now"), 0))
	if a := in.child("svc").must(order{Do: "read", FD: listenFd, N: 64}); string(a.Data) != "now" {
		t.Errorf("the child read %q", a.Data)
	}
}

func endpointStale(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("sock unix - - n - 1 fake", "file unix - - n - 1 fake", "held unix - - n - 1 fake")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: in.path("queue/private/sock"), Net: "unix"})
	in.must(err)
	stale.SetUnlinkOnClose(false)
	stale.Close()
	in.must(os.WriteFile(in.path("queue/private/file"), []byte("x"), 0o600))
	in.must(os.Chown(in.path("queue/private/file"), ownerID(t), -1))
	held, err := net.Listen("unix", in.path("queue/private/held"))
	in.must(err)
	defer held.Close()
	in.start()
	for _, service := range []string{"sock", "file", "held"} {
		in.dial(service)
		in.child(service).accept()
	}
}

func endpointPrivate(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("same unix y - n - 1 fake -in private", "same unix n - n - 1 fake -in public")
	in.start()
	for _, class := range []string{"public", "private"} {
		in.dialAt("unix", in.path("queue", class, "same"))
		wantArgs(t, in.child("same"), "-in", class)
	}
}

func endpointBacklog(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("default_process_limit = 7")
	in.service("large unix - - n - 9 fake", "small unix - - n - 3 fake", "plain unix - - n - - fake",
		in.host+":25 inet n - n - 9 fake", in.host+":26 inet n - n - 3 fake", in.host+":27 inet n - n - 0 fake")
	in.start()
	for service, want := range map[string]int{"large": 9, "small": 7, "plain": 7} {
		in.dial(service)
		if _, got := unixQueues(t, in.child(service)); got != want {
			t.Errorf("%s: backlog %d, not %d", service, got, want)
		}
	}
	for port, want := range map[string]int{"25": 9, "26": 7, "27": 7} {
		if got := tcpBacklog(t, in.host+":"+port); got != want {
			t.Errorf("port %s: backlog %d, not %d", port, got, want)
		}
	}
}

func endpointReuse(t *testing.T, m master) {
	in := newInstance(t, m)
	address := in.host + ":25"
	in.service(address + " inet n - n - 1 fake")
	// A connection that this side closes first leaves the address in
	// TIME-WAIT, where it can be bound again only with SO_REUSEADDR.
	l, err := net.Listen("tcp", address)
	in.must(err)
	client := in.dialAt("tcp", address)
	server, err := l.Accept()
	in.must(err)
	l.Close()
	server.Close()
	client.Close()
	in.start()
	in.dialAt("tcp", address)
	in.child(address).accept()
}

func endpointFlags(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service(in.host+":25 inet n - n - 1 fake", "svc unix - - n - 1 fake", "ff fifo n - n - 1 fake", "dg unix-dgram n - n - 1 fake")
	in.start()
	var endpoints []string
	for _, service := range []string{in.host + ":25 inet", "svc unix", "ff fifo", "dg unix-dgram"} {
		f := fieldsOf(service)
		endpoints = append(endpoints, socketAt(in.bornOf(f[0], f[1]), listenFd))
	}
	for _, d := range descriptorsOf(in.run.pid) {
		flags := descriptorFlags(in.run.pid, d.FD)
		if d.FD > 2 && flags&syscall.O_CLOEXEC == 0 {
			t.Errorf("the master's %+v is not close-on-exec", d)
		}
		if i := slices.Index(endpoints, d.Link); i >= 0 {
			endpoints[i] = ""
			if !d.Nonblock {
				t.Errorf("the master's %+v blocks", d)
			}
		}
	}
	for _, missing := range endpoints {
		if missing != "" {
			t.Errorf("the master does not hold %s", missing)
		}
	}
}

func endpointPortNames(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("known_tcp_ports = ours=1234, smtp=2525, a=b=77")
	for _, port := range []string{"99", "ours", "smtp", "a", "b", "pop3"} {
		in.service(in.host + ":" + port + " inet n - n - 1 fake")
	}
	in.start()
	for port, name := range map[string]string{"99": "99", "1234": "ours", "2525": "smtp", "77": "b", "110": "pop3"} {
		in.dialAt("tcp", in.host+":"+port)
		if c := in.child(in.host + ":" + name); len(listenerAddresses(t, c)) != 1 {
			t.Errorf("%s listens at %v", name, listenerAddresses(t, c))
		}
	}
}

func endpointHosts(t *testing.T, m master) {
	in := newInstance(t, m)
	port := strconv.Itoa(ports.Free(t))
	in.set("inet_protocols = all")
	v4, v6 := in.host+":"+port, "[::1]:"+port
	in.service(v4+" inet n - n - 1 fake", v6+" inet n - n - 1 fake")
	in.start()
	for _, address := range []string{v4, v6} {
		in.dialAt("tcp", address)
		if got := listenerAddresses(t, in.child(address)); !slices.Equal(got, []string{address}) {
			t.Errorf("%s listens at %v", address, got)
		}
	}
}

// listensAt starts an instance with one service without a host and returns
// where it listens, with the port left out.
func listensAt(t *testing.T, m master, settings ...string) []string {
	in := newInstance(t, m)
	port := strconv.Itoa(ports.Free(t))
	in.set("inet_protocols = all")
	in.set(settings...)
	in.service(port + " inet n - n - 1 fake")
	in.start()
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		defer conn.Close()
	} else {
		in.dialAt("tcp", "[::1]:"+port)
	}
	got := listenerAddresses(t, in.child(port))
	for i := range got {
		got[i] = strings.TrimSuffix(got[i], ":"+port)
	}
	return got
}

func endpointAll(t *testing.T, m master) {
	if got := listensAt(t, m, "inet_interfaces = all"); !slices.Equal(got, []string{"0.0.0.0", "[::]"}) {
		t.Errorf("listens at %v", got)
	}
}

func endpointLoopback(t *testing.T, m master) {
	if got := listensAt(t, m, "inet_interfaces = loopback-only"); !slices.Equal(got, []string{"127.0.0.1", "[::1]"}) {
		t.Errorf("listens at %v", got)
	}
}

func endpointList(t *testing.T, m master) {
	if got := listensAt(t, m, "inet_interfaces = [::1], 127.0.0.1"); !slices.Equal(got, []string{"127.0.0.1", "[::1]"}) {
		t.Errorf("listens at %v", got)
	}
	if got := listensAt(t, m, "inet_interfaces = ::1"); !slices.Equal(got, []string{"[::1]"}) {
		t.Errorf("listens at %v", got)
	}
}

func endpointProtocols(t *testing.T, m master) {
	if got := listensAt(t, m, "inet_interfaces = all", "inet_protocols = ipv4"); !slices.Equal(got, []string{"0.0.0.0"}) {
		t.Errorf("ipv4 listens at %v", got)
	}
	if got := listensAt(t, m, "inet_interfaces = loopback-only", "inet_protocols = ipv6"); !slices.Equal(got, []string{"[::1]"}) {
		t.Errorf("ipv6 listens at %v", got)
	}
}

func endpointExplicit(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("inet_interfaces = 127.0.0.1")
	in.service(in.host + ":25 inet n - n - 1 fake")
	in.start()
	in.dialAt("tcp", in.host+":25")
	in.child(in.host + ":25").accept()
}

func endpointDisable(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("master_service_disable = !kept/unix gone/unix " + in.host + ":25/inet !" + in.host + ":26/inet inet kept/unix")
	in.service("kept unix - - n - 1 fake", "gone unix - - n - 1 fake", "gone pass n - n - 1 fake", "free unix - - n - 1 fake",
		in.host+":25 inet n - n - 1 fake", in.host+":26 inet n - n - 1 fake", in.host+":27 inet n - n - 1 fake")
	in.start()
	for path, listens := range map[string]bool{"private/kept": true, "private/gone": false, "public/gone": true, "private/free": true} {
		if _, err := os.Lstat(in.path("queue", path)); (err == nil) != listens {
			t.Errorf("%s listens: %v", path, !listens)
		}
	}
	for port, listens := range map[string]bool{"25": false, "26": true, "27": false} {
		conn, err := net.Dial("tcp", in.host+":"+port)
		if (err == nil) != listens {
			t.Errorf("port %s listens: %v", port, !listens)
		}
		if err == nil {
			conn.Close()
		}
	}
}
