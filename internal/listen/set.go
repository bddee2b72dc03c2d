package listen

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// Set holds all open sockets of a manager. The zero value is empty and ready.
// It is owned by one goroutine.
type Set struct {
	open map[identity]*Socket
	// changing guards against two changes at a time.
	changing bool
}

// identity is what makes an endpoint another socket when it changes: all else
// (mode, owner, backlog) can be changed on the open one.
//
// A manager with thousands of sockets has one for each: it is kept small.
type identity struct {
	place   string // path or address
	port    uint32
	network plan.Network
	v6only  bool
}

func identityOf(e plan.Endpoint) identity {
	if e.Path != "" {
		return identity{network: e.Network, place: e.Path}
	}
	id := identity{network: e.Network, place: e.Addr, port: e.Port}
	if a, err := netip.ParseAddr(e.Addr); err == nil {
		a = a.Unmap()
		id.place = a.String()
		id.v6only = e.V6Only && a.Is6()
	}
	return id
}

// Get finds the open socket of an endpoint, whatever its attributes, or nil.
func (s *Set) Get(e plan.Endpoint) *Socket { return s.open[identityOf(e)] }

// Len is the number of open sockets.
func (s *Set) Len() int { return len(s.open) }

// Close closes all sockets and leaves the names of paths where they are, as
// Socket.Close does.
func (s *Set) Close() {
	for _, sock := range s.open {
		sock.Close()
	}
	s.open = nil
}

// Change is a transaction on a Set: what is new is open, what is gone still is
// too, until Commit or Rollback ends it. One of the two must be called.
type Change struct {
	set  *Set
	want map[identity]*Socket
	// opened are new; those in staged stand at a path that a socket which
	// will be gone still holds, under another name.
	opened []*Socket
	staged []staged
	gone   []*Socket
	// before has the kept sockets whose attributes were changed.
	before []attributes
	ended  bool
}

type staged struct {
	socket *Socket
	name   string
}

type attributes struct {
	socket *Socket
	old    plan.Endpoint
}

// Prepare opens everything of want that is not open yet, and gives sockets that
// stay the mode, owner and backlog that want asks for. On any failure it closes
// what it opened, restores what it changed and returns all errors; the set is
// then as it was. BEFORE the change is ended, the set itself still is the old
// one. There is one change at a time: it MUST be ended before the next.
//
// A TCP address is opened while a wider or narrower one that will be gone is
// still served, and a path while another socket stands at it; a client finds
// somebody at every moment.
func (s *Set) Prepare(want []plan.Endpoint) (c *Change, errs []error) {
	if s.changing {
		return nil, []error{errors.New("cannot change sockets: another change is not ended")}
	}
	batch.run(func() { c, errs = s.prepare(want) })
	return c, errs
}

func (s *Set) prepare(want []plan.Endpoint) (*Change, []error) {
	s.changing = true
	c := &Change{set: s, want: make(map[identity]*Socket, len(want))}
	makeRoom(len(want) - len(s.open))
	restore := s.shareOverlapping(want)
	defer restore()
	var errs []error
	for _, e := range want {
		if err := c.prepare(e); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		c.Rollback()
		return nil, errs
	}
	for id, sock := range s.open {
		if c.want[id] != sock {
			c.gone = append(c.gone, sock)
		}
	}
	return c, nil
}

// makeRoom has the kernel enlarge our table of descriptors once, for n more. It
// would do so each time that the table is full, and as other threads may be
// looking into it, have us wait each time until none does: 10 ms and more, see
// expand_fdtable in fs/file.c. That it fails is of no consequence.
func makeRoom(n int) {
	const tableSmall = 256
	if n < tableSmall {
		return
	}
	fd, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }()
	if high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, fd+n); err == nil {
		_ = unix.Close(high)
	}
}

func (c *Change) prepare(e plan.Endpoint) error {
	id := identityOf(e)
	if c.want[id] != nil {
		return &Error{Op: "open", Endpoint: e, Err: errors.New("it is listed twice")}
	}
	sock := c.set.open[id]
	if sock != nil && sock.reachable() {
		c.want[id] = sock
		return c.adjust(sock, e)
	}
	return c.open(id, e)
}

// adjust brings a socket that stays to its new attributes.
func (c *Change) adjust(sock *Socket, e plan.Endpoint) error {
	if sock.Endpoint == e {
		return nil
	}
	c.before = append(c.before, attributes{socket: sock, old: sock.Endpoint})
	return sock.apply(e)
}

func (c *Change) open(id identity, e plan.Endpoint) error {
	name := pathName(e.Path)
	if name != "" && c.set.holdsPath(e.Path) {
		name = "." + name + ".new"
	}
	sock, err := open(e, name, true)
	if err != nil {
		return err
	}
	c.want[id] = sock
	c.opened = append(c.opened, sock)
	if name != pathName(e.Path) {
		c.staged = append(c.staged, staged{socket: sock, name: name})
	}
	return nil
}

// holdsPath tells whether a socket of the set stands at a path, of whichever
// kind it is.
func (s *Set) holdsPath(path string) bool {
	for _, n := range []plan.Network{plan.NetUnix, plan.NetUnixgram, plan.NetFifo} {
		if sock := s.open[identity{network: n, place: path}]; sock != nil && sock.reachable() {
			return true
		}
	}
	return false
}

// Socket finds the socket of an endpoint as it will be after Commit, or nil.
func (c *Change) Socket(e plan.Endpoint) *Socket { return c.want[identityOf(e)] }

// Opened lists the sockets that are new.
func (c *Change) Opened() []*Socket { return c.opened }

// Gone lists the sockets that Commit will close.
func (c *Change) Gone() []*Socket { return c.gone }

// Commit makes the change the state of the set, closes what is gone and takes
// its names away. An error is a new socket that could not be given its name in
// place of one that is gone; everything else has taken effect.
func (c *Change) Commit() error {
	err := c.commit()
	RemoveAll(c.gone)
	return err
}

// CommitAndKeep is Commit without the closing: the sockets that are gone are
// the caller's, still listening, so that the clients in their queues can be
// served first. The caller MUST call Remove on each, or RemoveAll.
func (c *Change) CommitAndKeep() ([]*Socket, error) {
	err := c.commit()
	return c.gone, err
}

func (c *Change) commit() error {
	if c.ended {
		return errors.New("cannot commit a change of sockets: it is ended")
	}
	c.ended, c.set.changing = true, false
	var errs []error
	if len(c.staged) > 0 {
		batch.run(func() {
			for _, st := range c.staged {
				errs = append(errs, st.socket.rename(st.name))
			}
		})
	}
	c.set.open = c.want
	return errors.Join(errs...)
}

// Rollback closes what was opened and restores what was changed. After Commit
// it does nothing.
func (c *Change) Rollback() {
	if c.ended {
		return
	}
	c.ended, c.set.changing = true, false
	for _, st := range c.staged {
		st.socket.removeName(st.name)
	}
	RemoveAll(c.opened)
	for _, a := range c.before {
		// What can't be restored had a name that is no longer there.
		_ = a.socket.apply(a.old)
	}
}

// shareOverlapping lets UDP sockets that are open be overlapped by new ones of
// the same port while a change is prepared. TCP sockets always are shareable;
// a UDP socket is not, because datagrams that a forgotten process gets are lost
// in silence.
func (s *Set) shareOverlapping(want []plan.Endpoint) (restore func()) {
	ports := map[uint32]bool{}
	for _, e := range want {
		if e.Network == plan.NetUDP && s.Get(e) == nil {
			ports[e.Port] = true
		}
	}
	var shared []*Socket
	for id, sock := range s.open {
		if id.network == plan.NetUDP && ports[id.port] && setShareable(sock.FD, true) == nil {
			shared = append(shared, sock)
		}
	}
	return func() {
		for _, sock := range shared {
			_ = setShareable(sock.FD, false)
		}
	}
}

// apply gives an open socket other attributes.
func (s *Socket) apply(e plan.Endpoint) error {
	old := s.Endpoint
	s.Endpoint = e
	if old.Backlog != e.Backlog {
		if err := s.startListening(); err != nil {
			return err
		}
	}
	if e.Path == "" || isAbstract(e) || old.Mode == e.Mode && old.UID == e.UID && old.GID == e.GID {
		return nil
	}
	d, err := openFolder(&e)
	if err != nil {
		return s.fail("chmod", err)
	}
	defer d.close()
	name := pathName(e.Path)
	// With our own powers, for the file may be another's than the folder's
	// owner; the handle leads to no other file than ours.
	return ours.as(func() error {
		if err := s.resetMode(d, name); err != nil {
			return err
		}
		return s.setOwner(d, name)
	})
}

// reachable tells whether clients can find the socket: the name of a path may
// have been taken away or given to somebody else, and a child that holds the
// socket may have shut it down for all.
func (s *Socket) reachable() bool {
	if s.shutDown() {
		return false
	}
	name := pathName(s.Endpoint.Path)
	if name == "" {
		return true
	}
	d, err := openFolder(&s.Endpoint)
	if err != nil {
		return false
	}
	defer d.close()
	return ours.as(func() error {
		if !s.inPlace(d, name) {
			return errExchanged
		}
		return nil
	}) == nil
}

// rename moves a staged name to the endpoint's own, which replaces the one
// that is gone in one step.
func (s *Socket) rename(from string) error {
	d, err := openFolder(&s.Endpoint)
	if err != nil {
		return s.fail("rename", err)
	}
	defer d.close()
	err = d.power.as(func() error {
		return unix.Renameat(d.fd, from, d.fd, pathName(s.Endpoint.Path))
	})
	if err != nil {
		return s.fail("rename", err)
	}
	return nil
}
