package blackbox

import (
	"encoding/binary"
	"encoding/json"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
)

// canary is a service of every instance, without a limit, whose only use is to
// be born: see barrier.
const canary = "canary"

// nest is where the fake daemons of an instance report their birth.
type nest struct {
	listener net.Listener
	mu       sync.Mutex
	born     []*child // reported, and not yet claimed by the test
	all      []*child
	changed  chan struct{}
}

func newNest(t *testing.T, path string) *nest {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	n := &nest{listener: l, changed: make(chan struct{})}
	go n.accept()
	return n
}

func (n *nest) accept() {
	for {
		conn, err := n.listener.Accept()
		if err != nil {
			return
		}
		go n.register(conn)
	}
}

func (n *nest) register(conn net.Conn) {
	c := &child{conn: conn, in: json.NewDecoder(conn), out: json.NewEncoder(conn)}
	if c.in.Decode(&c.birth) != nil {
		conn.Close()
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.born = append(n.born, c)
	n.all = append(n.all, c)
	close(n.changed)
	n.changed = make(chan struct{})
}

// close lets every fake daemon go; each leaves with status 0.
func (n *nest) close() {
	n.listener.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.all {
		c.conn.Close()
	}
}

// child is the test's hold on one fake daemon.
type child struct {
	birth
	t    *testing.T
	conn net.Conn
	in   *json.Decoder
	out  *json.Encoder
}

// child returns the next newborn of a service, waiting for its birth.
func (in *instance) child(service string) *child {
	in.t.Helper()
	timeout := time.After(await.Patience)
	for {
		in.nest.mu.Lock()
		for i, c := range in.nest.born {
			if c.service() == service {
				in.nest.born = slices.Delete(in.nest.born, i, i+1)
				in.nest.mu.Unlock()
				c.t = in.t
				in.births = max(in.births, c.generation())
				return c
			}
		}
		changed := in.nest.changed
		in.nest.mu.Unlock()
		select {
		case <-changed:
		case <-timeout:
			in.t.Fatalf("no child of %s was born; the log:\n%s", service, in.log.all())
		}
	}
}

// barrier proves what did not happen: when it returns, the master has dealt
// with all that came before, for it has since answered a client of the canary
// service with a birth. Its result is that birth's generation, and as
// generations count all births, nothing else was born if it is just one above
// the newest that the test met.
func (in *instance) barrier() int {
	in.t.Helper()
	conn := in.dial(canary)
	defer conn.Close()
	c := in.child(canary)
	c.accept()
	c.exit(0)
	in.reaped(c)
	return c.generation()
}

// noBirth asserts that no child was born that the test has not met.
func (in *instance) noBirth() {
	in.t.Helper()
	met := in.births
	if g := in.barrier(); g != met+1 {
		in.t.Fatalf("%d children were born that should not have been; the log:\n%s", g-met-1, in.log.all())
	}
}

// reaped waits until the master has buried a child that died.
func (in *instance) reaped(c *child) {
	in.t.Helper()
	await.That(in.t, "the master reaps child "+strconv.Itoa(c.PID), func() bool { return !exists(c.PID) })
}

// service is the name of the service as the child was told it: -n, or else
// the command's name.
func (c *child) service() string {
	if i := slices.Index(c.Args, "-n"); i > 0 && i+1 < len(c.Args) {
		return c.Args[i+1]
	}
	return filepath.Base(c.Args[0])
}

// env is one variable of the child's environment.
func (c *child) env(name string) (string, bool) {
	for _, e := range c.Env {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// generation is the number of the child's birth; 0 when it was told none.
func (c *child) generation() int {
	value, _ := c.env("GENERATION")
	n, _ := strconv.ParseInt(value, 8, 32)
	return int(n)
}

// do has the daemon carry out one order and returns its answer, errors
// included.
func (c *child) do(o order) answer {
	c.t.Helper()
	_ = c.conn.SetDeadline(time.Now().Add(await.Patience))
	var a answer
	if err := c.out.Encode(o); err != nil {
		c.t.Fatalf("child %d cannot be told to %s: %v", c.PID, o.Do, err)
	}
	if err := c.in.Decode(&a); err != nil {
		c.t.Fatalf("child %d did not answer to %s: %v", c.PID, o.Do, err)
	}
	return a
}

// must is do for what has to work.
func (c *child) must(o order) answer {
	c.t.Helper()
	a := c.do(o)
	if a.Err != "" {
		c.t.Fatalf("child %d cannot %s: %s", c.PID, o.Do, a.Err)
	}
	return a
}

// accept takes the client that waits at the first listening socket.
func (c *child) accept() { c.t.Helper(); c.acceptAt(listenFd) }

func (c *child) acceptAt(fd int) { c.t.Helper(); c.must(order{Do: "accept", FD: fd}) }

// take accepts a client and reports it; release says goodbye to it and reports
// that.
func (c *child) take() {
	c.t.Helper()
	c.accept()
	c.report(statusTaken)
}

func (c *child) release() {
	c.t.Helper()
	c.must(order{Do: "hangup"})
	c.report(statusAvailable)
}

// The two words of a status record.
const (
	statusTaken     = 0
	statusAvailable = 1
)

func (c *child) report(status int) {
	c.t.Helper()
	c.send(record(c.PID, c.generation(), status))
}

// heard waits until the master has read what the child has reported: a reload
// that comes first has the stock master forget the channel, and not that the
// child was free.
func (c *child) heard() { c.t.Helper(); c.must(order{Do: "heard", FD: statusFd}) }

// send writes raw bytes to the status channel.
func (c *child) send(data []byte) {
	c.t.Helper()
	c.must(order{Do: "write", FD: statusFd, Data: data})
}

// record is a status record: three native 32-bit integers.
func record(pid, generation, status int) []byte {
	var b []byte
	for _, n := range []int{pid, generation, status} {
		b = binary.NativeEndian.AppendUint32(b, uint32(n))
	}
	return b
}

// exit has the daemon leave with a status; raise has it die of a signal. Both
// return at once.
func (c *child) exit(status int) { c.t.Helper(); c.last(order{Do: "exit", N: status}) }

func (c *child) raise(s syscall.Signal) { c.t.Helper(); c.last(order{Do: "raise", N: int(s)}) }

// last gives an order that may never be answered.
func (c *child) last(o order) {
	c.t.Helper()
	if err := c.out.Encode(o); err != nil {
		c.t.Fatalf("child %d cannot be told to %s: %v", c.PID, o.Do, err)
	}
}

// toldToLeave waits for the end-of-file on the status channel by which a
// master asks a child to leave.
func (c *child) toldToLeave() {
	c.t.Helper()
	if a := c.must(order{Do: "read", FD: statusFd, N: 1}); a.N != 0 {
		c.t.Fatalf("child %d read %d bytes from its status channel, not end-of-file", c.PID, a.N)
	}
}
