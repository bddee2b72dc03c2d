package master

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// TestAcceptWaitsWhereProgramsExpectIt looks at the sockets that workers of each
// protocol are given; one stays when a reload changes the protocol. What workers
// make of it stands.
func TestAcceptWaitsWhereProgramsExpectIt(t *testing.T) {
	of := func(p plan.Protocol) *plan.Service {
		policy := pool.Policy{Limit: 1, Opaque: true}
		if p == plan.ProtocolInetd || p == plan.ProtocolPostfix {
			policy = pool.Policy{Limit: 1, Single: p == plan.ProtocolInetd}
		}
		return nativeOf(t, "web", "", p, policy)
	}
	w := startNative(t, planOf(of(plan.ProtocolSystemd)))
	waits := func() (yes bool) {
		w.call(func() {
			flags, err := unix.FcntlInt(uintptr(w.m.services["web"].listeners[0].fd), unix.F_GETFL, 0)
			yes = err == nil && flags&unix.O_NONBLOCK == 0
		})
		return yes
	}
	if !waits() {
		t.Error("systemd: accept does not wait")
	}
	for _, next := range []struct {
		protocol plan.Protocol
		waits    bool
	}{
		{plan.ProtocolInetd, false},
		{plan.ProtocolFastCGI, true},
		{plan.ProtocolPostfix, false},
		{plan.ProtocolNone, true},
	} {
		w.propose(of(next.protocol))
		w.eventually("accept waits, or not, as the protocol has it", func() bool { return waits() == next.waits })
	}
	w.call(func() { _ = unix.SetNonblock(w.m.services["web"].listeners[0].fd, true) })
	w.propose(of(plan.ProtocolFastCGI))
	w.eventually("the reload is done", func() (done bool) {
		w.call(func() { done = w.m.services["web"].plan.Protocol == plan.ProtocolFastCGI })
		return done
	})
	if waits() {
		t.Error("a reload undoes what a worker has made of its socket")
	}
}
