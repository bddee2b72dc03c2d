package blackbox

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

var reloadRows = []row{
	{"reload/new-service", "a service that is new listens after the reload", reloadNew},
	{"reload/vanished-service", "a service that vanished is stopped: its socket is closed and its children get TERM", reloadVanished},
	{"reload/kept-socket", "a service that stays keeps its very socket, and the clients that wait at it", reloadKeepsSocket},
	{"reload/new-limit", "a service that stays takes its new limit", reloadLimit},
	{"reload/new-arguments", "a service that stays takes its new command and arguments", reloadArguments},
	{"reload/new-status-channel", "old children see end-of-file on 5, and still count toward the limit until they leave", reloadStatusChannel},
	{"reload/old-children-serve-on", "an old child finishes its client in peace; its late reports change nothing", reloadOldChildren},
	{"reload/throttled-stays", "a throttled service stays throttled", reloadThrottled},
	{"reload/wakeup", "each reload wakes up the services that want it", reloadWakeup},
	{"reload/smtp-is-25", "smtp and 25 are one service: changing the spelling keeps the socket", reloadSpelling},
	{"reload/refused-queue-directory", "a change of queue_directory is refused with three warnings", reloadQueueDirectory},
	{"reload/refused-inet-protocols", "a change of inet_protocols is refused with three warnings", reloadProtocols},
	{"reload/config-directory", "a reload that finds config_directory in main.cf still has the directory of -c", reloadConfigDirectory},
	{"reload/default-limit", "a new default_process_limit is for those that wrote -", reloadDefaultLimit},
	{"reload/transport-change", "a service that changes its transport is another service: the children of the old one get TERM", reloadTransport},
	{"reload/storm", "reloads while children are born lose no client", reloadStorm},
}

func reloadNew(t *testing.T, m master) {
	in := newInstance(t, m)
	in.start()
	in.service("svc unix - - n - 1 fake")
	in.reload()
	in.barrier()
	in.dial("svc")
	in.child("svc").accept()
}

func reloadVanished(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake")
	in.start()
	in.dial("svc")
	taken := in.child("svc")
	taken.take()
	in.dial("svc")
	idle := in.child("svc")
	in.rewrite("svc ")
	in.reload()
	in.reaped(taken)
	in.reaped(idle)
	in.noBirth() // Postfix buries them before it closes their socket
	conn, err := net.Dial("unix", in.path("queue/private/svc"))
	if err == nil {
		conn.Close()
		t.Errorf("the endpoint of the removed service still takes clients")
	}
}

// inode identifies a file; a socket that was made anew has another.
func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

func reloadKeepsSocket(t *testing.T, m master) {
	in := newInstance(t, m)
	address := in.host + ":25"
	in.service("svc unix - - n - 1 fake", address+" inet n - n - 1 fake", "ff fifo n - n - 1 fake")
	in.start()
	var before []*child
	for _, c := range []func() net.Conn{
		func() net.Conn { return in.dial("svc") },
		func() net.Conn { return in.dialAt("tcp", address) },
	} {
		c()
	}
	in.must(os.WriteFile(in.endpoint("ff"), []byte("x"), 0))
	for _, service := range []string{"svc", address, "ff"} {
		before = append(before, in.child(service))
	}
	waiting := bufio.NewReader(in.dial("svc")) // nobody will take it before the reload
	files := []uint64{inode(t, in.endpoint("svc")), inode(t, in.endpoint("ff"))}
	in.reload()
	if after := []uint64{inode(t, in.endpoint("svc")), inode(t, in.endpoint("ff"))}; after[0] != files[0] || after[1] != files[1] {
		t.Errorf("inodes of the endpoints: %v before, %v after", files, after)
	}
	before[0].accept()
	for _, c := range before {
		c.toldToLeave()
		c.exit(0)
		in.reaped(c)
	}
	after := in.child("svc")
	for i, c := range []*child{after, in.child(address), in.child("ff")} {
		was, is := socketAt(before[i], listenFd), socketAt(c, listenFd)
		if was != is {
			t.Errorf("%s: the endpoint was %s and is %s", c.service(), was, is)
		}
	}
	after.accept()
	if line, err := waiting.ReadString('\n'); err != nil || line != fmt.Sprintln(after.PID) {
		t.Errorf("the client that waited over the reload read %q, %v", line, err)
	}
}

// socketAt identifies what a child was born with at a descriptor.
func socketAt(c *child, fd int) string {
	for _, d := range c.Descriptors {
		if d.FD == fd {
			return d.Link
		}
	}
	return "nothing"
}

func reloadLimit(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 1 fake")
	in.start()
	in.dial("svc")
	in.child("svc").take()
	in.dial("svc")
	in.noBirth()
	in.rewrite("svc ", "svc unix - - n - 2 fake")
	in.reload()
	in.child("svc").take()
	in.dial("svc")
	in.noBirth()
}

func reloadArguments(t *testing.T, m master) {
	in := newInstance(t, m)
	in.must(os.Symlink(in.path("lib", fakeCommand), in.path("lib/fake2")))
	in.service("svc unix - - n - 2 fake -o old=1")
	in.start()
	in.dial("svc")
	c := in.child("svc")
	c.take()
	wantArgs(t, c, "-o", "old=1")
	in.rewrite("svc ", "svc unix - - n - 2 fake2 -o new=2")
	in.reload()
	in.dial("svc")
	c = in.child("svc")
	wantArgs(t, c, "-o", "new=2")
	if c.Args[0] != "fake2" || strings.Contains(strings.Join(c.Args, " "), "old") {
		t.Errorf("arguments %q", c.Args)
	}
}

func reloadStatusChannel(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake")
	in.start()
	in.dial("svc")
	first := in.child("svc")
	first.take()
	in.dial("svc")
	second := in.child("svc")
	second.take()
	in.reload()
	first.toldToLeave()
	second.toldToLeave()
	in.dial("svc")
	in.noBirth() // two of two are still there
	first.exit(0)
	third := in.child("svc")
	if was, is := socketAt(first, statusFd), socketAt(third, statusFd); was == is {
		t.Errorf("the status channel is still %s", is)
	}
}

func reloadOldChildren(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 2 fake")
	in.start()
	in.dial("svc")
	old := in.child("svc")
	old.take()
	in.reload()
	old.toldToLeave()
	in.barrier()
	old.must(order{Do: "hangup"})
	if a := old.do(order{Do: "write", FD: statusFd, Data: record(old.PID, old.generation(), statusAvailable)}); !strings.Contains(a.Err, "broken pipe") {
		t.Errorf("the old child's report was answered with %q", a.Err)
	}
	// The old child said that it is available, but to nobody: a client gets a
	// new one.
	in.dial("svc")
	in.child("svc").take()
}

func reloadThrottled(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("service_throttle_time = 3s")
	in.service("svc unix - - n - 1 fake")
	in.start()
	in.dial("svc")
	c := in.child("svc")
	before := time.Now()
	c.exit(1)
	in.log.wait(t, "bad command startup -- throttling")
	in.reload()
	in.afterThrottle("svc", before, 3*time.Second).take()
}

func reloadWakeup(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n 3600 1 fake", "idle unix - - n 3600? 1 fake")
	in.start()
	c := in.child("svc")
	c.wokenBy()
	for range 2 {
		in.reload()
		c.toldToLeave()
		c.exit(0)
		c = in.child("svc")
		if got := c.wokenBy(); got != wakeupBytes {
			t.Errorf("the wake-up after the reload brought %q", got)
		}
	}
}

func reloadSpelling(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service(in.host + ":smtp inet n - n - 1 fake -v1")
	in.start()
	in.dialAt("tcp", in.host+":25")
	old := in.child(in.host + ":smtp")
	in.rewrite(in.host, in.host+":25 inet n - n - 1 fake -v2")
	in.reload()
	old.toldToLeave()
	old.exit(0)
	c := in.child(in.host + ":25")
	if was, is := socketAt(old, listenFd), socketAt(c, listenFd); was != is {
		t.Errorf("the socket was %s and is %s", was, is)
	}
	c.accept() // the client that came before
}

func reloadQueueDirectory(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 1 fake")
	in.start()
	in.must(os.MkdirAll(in.path("elsewhere/private"), 0o755))
	in.must(os.MkdirAll(in.path("elsewhere/pid"), 0o755))
	in.set("queue_directory = " + in.path("elsewhere"))
	in.writeConfiguration()
	in.run.signal(syscall.SIGHUP)
	in.log.want(t, "warning: ignoring queue_directory parameter value change")
	in.log.want(t, fmt.Sprintf("warning: old value: %q, new value: %q", in.path("queue"), in.path("elsewhere")))
	in.log.want(t, "warning: to change queue_directory, stop and start Postfix")
	in.dial("svc")
	if c := in.child("svc"); c.Dir != in.path("queue") {
		t.Errorf("a child was born in %s", c.Dir)
	}
}

func reloadProtocols(t *testing.T, m master) {
	in := newInstance(t, m)
	in.start()
	in.set("inet_protocols = all")
	in.writeConfiguration()
	in.run.signal(syscall.SIGHUP)
	in.log.want(t, "warning: ignoring inet_protocols parameter value change")
	in.log.want(t, `warning: old value: "ipv4", new value: "all"`)
	in.log.want(t, "warning: to change inet_protocols, stop and start Postfix")
	in.barrier()
}

func reloadConfigDirectory(t *testing.T, m master) {
	in := newInstance(t, m)
	in.start()
	in.set("config_directory = /elsewhere")
	in.service(rawService)
	in.reload()
	if got := environmentMap(environmentOf(t, in.raw()))["MAIL_CONFIG"]; got != in.path("conf") {
		t.Errorf("a child has MAIL_CONFIG=%q", got)
	}
}

func reloadDefaultLimit(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("default_process_limit = 1")
	in.service("svc unix - - n - - fake", "other unix - - n - 1 fake")
	in.start()
	for _, service := range []string{"svc", "other"} {
		in.dial(service)
		in.child(service).take()
		in.dial(service)
	}
	in.noBirth()
	in.set("default_process_limit = 2")
	in.reload()
	in.child("svc").take()
	in.noBirth()
}

func reloadTransport(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - - n - 1 fake")
	in.start()
	in.dial("svc")
	old := in.child("svc")
	in.rewrite("svc ", "svc pass - - n - 1 fake")
	in.reload()
	in.reaped(old)
	in.barrier()
	in.dial("svc")
	c := in.child("svc")
	wantArgs(t, c, "-t", "pass")
	c.accept()
}

func reloadStorm(t *testing.T, m master) {
	const clients = 20
	in := newInstance(t, m)
	in.service("svc unix - - n - 0 fake")
	in.start()
	served := make(chan string, clients)
	for range clients {
		conn := in.dial("svc")
		in.run.signal(syscall.SIGHUP)
		go func() {
			line, _ := bufio.NewReader(conn).ReadString('\n')
			served <- line
		}()
		c := in.child("svc")
		c.accept()
		in.run.signal(syscall.SIGHUP)
		c.exit(0)
	}
	for range clients {
		if line := <-served; line == "" {
			t.Errorf("a client was lost")
		}
	}
	in.log.wait(t, "^info: reload")
	in.barrier()
}
