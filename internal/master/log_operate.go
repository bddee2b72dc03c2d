package master

import (
	"fmt"

	"github.com/brood-project/brood/internal/pool"
)

// This file holds the lines about what operators ask for.

// logAsked says who has asked for what. All of it is logged that changes
// anything.
func (m *Master) logAsked(by By, what, service string) {
	m.noteAsked(what, service)
	if service != "" {
		what = fmt.Sprintf("%s of service %q", what, service)
	}
	m.log.Info(fmt.Sprintf("%s, asked for by uid %d (pid %d)", what, by.UID, by.PID))
}

// logCutOff names a worker that is stopped before its client is done.
func (m *Master) logCutOff(s *service, pid int32) {
	c, _ := s.pool.Child(pid)
	m.warn(s, fmt.Sprintf("service %q: the time is over for pid %d, at the age of %s: stopping it in the middle of a client",
		s.plan.Name, pid, seconds(pool.Duration(m.now()-c.Since))))
}
