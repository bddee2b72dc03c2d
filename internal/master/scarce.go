package master

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/pool"
)

// Each birth takes a few descriptors of the daemon's for a moment, and a flood of
// births all that there are. One that finds none is put off while others are
// about to give theirs back, and fails only when nobody is: otherwise the flood
// would be held back as if the program could not be started.

// putOff is a birth that waits for descriptors.
type putOff struct {
	service *service
	action  pool.Action
}

// errCalledOff is the answer to a birth for which there would be no descriptors
// either, or that nobody wants any more.
var errCalledOff = errors.New("the birth was called off")

// lacksFiles tells that there are no descriptors, of ours or of the machine's.
func lacksFiles(err error) bool { return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) }

// mayPutOff tells whether descriptors are about to be given back: by births, or,
// a moment after those, or after a death, by whoever closes them.
func (m *Master) mayPutOff() bool {
	return len(m.unused) > 0 || m.freed != 0 && m.now() < m.freed+pool.Time(tidyEvery)
}

// lacking decides about a birth for which there are no descriptors: true if it
// waits for some. After one that does not, the others of this turn are called off.
func (m *Master) lacking(s *service, a *pool.Action) bool {
	if !m.mayPutOff() {
		m.scarce = s
		return false
	}
	if m.lateAt == 0 {
		m.lateAt = m.now() + pool.Time(tidyEvery)
	}
	m.late = append(m.late, putOff{s, *a})
	return true
}

// bearLate tries those that were put off, in their order.
func (m *Master) bearLate() {
	if m.now() < m.lateAt {
		return
	}
	late := m.late
	m.late, m.lateAt = nil, 0
	for i := range late {
		p := &late[i]
		switch s := p.service; {
		case m.services[s.plan.Key] != s || s.drained || s.shut || m.closing != nil:
			m.stillborn(s, p.action.Generation, errCalledOff)
		default:
			m.birth(s, &p.action)
		}
	}
}

// callOff gives up the births of a service that were put off: they are of a plan
// that is not in force any more.
func (m *Master) callOff(s *service) {
	var left []putOff
	for _, p := range m.late {
		if p.service != s {
			left = append(left, p)
			continue
		}
		m.stillborn(s, p.action.Generation, errCalledOff)
	}
	m.late = left
}
