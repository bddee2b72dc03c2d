package master

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/child"
	"github.com/brood-project/brood/internal/output"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// birth is one on its way.
type birth struct {
	service    *service
	generation uint32
	stress     bool
	spec       child.Spec
	// stream is what it will write; nil where that is not captured.
	stream *output.Stream
	// guest is whom it is born for, if for one alone.
	guest guest
}

// errNoClient is the answer to a birth whose client was gone: nobody's fault.
var errNoClient = errors.New("the client is gone")

// stressVariable tells those born under stress.
const stressVariable = "BROOD_STRESS=yes"

// equip gives a birth what its protocol has a child be born with. Whatever it
// opens for this child alone, release closes.
func (m *Master) equip(b *birth) error {
	//exhaustive:enforce
	switch b.service.plan.Protocol {
	case plan.ProtocolPostfix:
		return m.equipPostfix(b)
	case plan.ProtocolSystemd:
		return m.equipSystemd(b)
	case plan.ProtocolFastCGI:
		return m.equipFastCGI(b)
	case plan.ProtocolInetd:
		return m.equipInetd(b)
	case plan.ProtocolNone:
		return m.equipNone(b)
	}
	panic("master: a service of no known protocol")
}

// patient tells whether workers are given sockets at which accept(2) waits, as
// every program expects that was not told otherwise: php-cgi leaves when it
// finds nobody. Those that poll for themselves make them non-blocking. We never
// accept at such a socket.
func patient(p *plan.Service) bool {
	//exhaustive:enforce
	switch p.Protocol {
	case plan.ProtocolPostfix:
		return false
	case plan.ProtocolInetd:
		return !p.Policy.Single
	case plan.ProtocolSystemd, plan.ProtocolFastCGI, plan.ProtocolNone:
		return true
	}
	panic("master: a service of no known protocol")
}

// wantPatience makes a socket as the service's workers expect it, once.
func (m *Master) wantPatience(s *service, src *source) {
	want := patient(s.plan)
	if src.patient == want {
		return
	}
	src.patient = want
	if err := unix.SetNonblock(src.fd, !want); err != nil {
		m.logWatchFailed(s, err)
	}
}

// conceive begins a birth with what all protocols have alike.
func (m *Master) conceive(s *service, a *pool.Action) *birth {
	c := &s.plan.Command
	args := c.Args
	if a.Stress && c.StressArgs != nil {
		args = c.StressArgs
	}
	b := &birth{service: s, generation: a.Generation, stress: a.Stress, guest: noGuest}
	b.spec = child.Spec{
		Path: c.Path, Args: args, Env: c.Env, Dir: c.Dir, Umask: c.Umask, IgnoreSIGPIPE: c.IgnoreSIGPIPE,
	}
	if s.plan.Wishes != nil {
		b.grant(s.plan.Wishes)
	}
	return b
}

// grant gives a birth what brood.toml asks for. The child leads a process group,
// so that a KILL reaches those that it has started.
func (b *birth) grant(w *plan.Wishes) {
	b.spec.Setpgid = true
	b.spec.DeathSignal = unix.Signal(w.OrphanSignal)
	for _, l := range w.Limits {
		b.spec.Rlimits = append(b.spec.Rlimits, child.Rlimit{Resource: l.Resource, Soft: l.Soft, Hard: l.Hard})
	}
	if b.stress {
		b.spec.EnvMore = append(b.spec.EnvMore, stressVariable)
	}
	if w.Account != nil {
		b.spec.Credential = credential(w.Account)
	}
}

// credential is an account with our own numbers where it has none.
func credential(a *plan.Account) *child.Credential {
	c := &child.Credential{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	if a.UID >= 0 {
		c.UID = uint32(a.UID)
	}
	if a.GID >= 0 {
		c.GID = uint32(a.GID)
	}
	groups := a.GIDs
	if groups == nil {
		groups, _ = os.Getgroups()
	}
	for _, g := range groups {
		c.Groups = append(c.Groups, uint32(g))
	}
	return c
}

// standard appends descriptors 0, 1 and 2: those of the daemon for a service of
// master.cf; otherwise in, or /dev/null where in is -1, and the pipe for what the
// child writes.
func (m *Master) standard(b *birth, in int) error {
	s := b.service
	if s.plan.Wishes == nil {
		b.spec.Files = append(b.spec.Files, 0, 1, 2)
		return nil
	}
	if in < 0 {
		if err := m.openNull(); err != nil {
			return err
		}
		in = m.null
	}
	out := 1
	if m.opts.Output != nil {
		stream, err := m.opts.Output.Open(s.plan.Name, b.generation, s.plan.Wishes.Output)
		if err != nil {
			return err
		}
		b.stream, out = stream, stream.FD()
	}
	b.spec.Files = append(b.spec.Files, in, out, out)
	return nil
}

// openNull opens /dev/null, if that has not been done.
func (m *Master) openNull() error {
	if m.null >= 0 {
		return nil
	}
	fd, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", os.DevNull, err)
	}
	m.null = fd
	return nil
}

// sockets appends the service's sockets from descriptor first on; what lies
// between is closed.
func (b *birth) sockets(first int) {
	for len(b.spec.Files) < first {
		b.spec.Files = append(b.spec.Files, -1)
	}
	for i, src := range b.service.listeners {
		src.socket.Lent = true
		if at := first + i; at < len(b.spec.Files) {
			b.spec.Files[at] = src.fd
			continue
		}
		b.spec.Files = append(b.spec.Files, src.fd)
	}
}

// release closes what was ours for the time of the birth.
func (b *birth) release() {
	if b.guest.fd >= 0 {
		b.service.shed(b.guest.fd)
		b.guest = noGuest
	}
	if b.stream != nil {
		b.stream.Given()
	}
}

// abandon gives up a birth that came to nothing.
func (b *birth) abandon() {
	b.service.keepGuest(b.guest)
	b.guest = noGuest
	b.release()
	if b.stream != nil {
		b.stream.Close()
	}
}
