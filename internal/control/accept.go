package control

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// accept takes clients until the server is closed.
//
// The socket is read with accept4(2) directly, in the runtime's poller, rather
// than by package net: only so is it known, when descriptors run out, whether a
// client waits, and only so can the one in reserve be put into its hands.
func (s *Server) accept() {
	for s.ctx.Err() == nil {
		at := s.place.Load()
		s.watchReserve(at)
		var fd int
		var failed error
		err := at.raw.Read(func(listener uintptr) bool {
			fd, _, failed = unix.Accept4(int(listener), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			// Without a descriptor the call fails whether a client waits or not.
			return failed != unix.EAGAIN && (failed == nil || readable(int(listener)))
		})
		switch {
		case os.IsTimeout(err):
		case err != nil: // the server is closed, or has another place
		case failed == nil:
			s.admit(fd, false)
		case failed == unix.EMFILE, failed == unix.ENFILE:
			s.acceptWithout(at)
		case failed == unix.EINTR, failed == unix.ECONNABORTED:
		default: // no memory
			s.pause()
		}
	}
}

// watchReserve sees to it that a lost reserve is looked for again, and that
// nothing wakes up when it is there.
func (s *Server) watchReserve(at *place) {
	wake := time.Time{}
	if s.refill() != nil {
		wake = time.Now().Add(s.times.shortage)
	}
	// It fails when the place is closed only, which the next read tells.
	_ = at.listener.SetReadDeadline(wake)
}

// acceptWithout takes one client although no descriptor is free.
func (s *Server) acceptWithout(at *place) {
	s.mu.Lock()
	reserve := s.reserve
	s.reserve = nil
	s.mu.Unlock()
	if reserve == nil {
		s.pause()
		return
	}
	var fd int
	failed := error(unix.EBADF)
	err := at.raw.Control(func(listener uintptr) {
		reserve.Close()
		fd, _, failed = unix.Accept4(int(listener), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	})
	// Otherwise another part of the daemon was faster, or the client has gone.
	// The next turn tries to take a descriptor back, and waits if it cannot.
	if err == nil && failed == nil {
		s.admit(fd, true)
	}
}

// pause waits until a connection ends, or for a while.
func (s *Server) pause() {
	timer := time.NewTimer(s.times.shortage)
	defer timer.Stop()
	select {
	case <-s.freed:
	case <-timer.C:
	case <-s.ctx.Done():
	}
}

// admit begins to serve a client, or tells it why not. reserved tells that it
// has the descriptor that was kept in reserve.
func (s *Server) admit(fd int, reserved bool) {
	c := &conn{server: s, file: os.NewFile(uintptr(fd), "client"), reserved: reserved}
	err := c.prepare()
	if err != nil {
		c.end()
		return
	}
	s.mu.Lock()
	refusal := s.full(c.who)
	if refusal == nil && s.ctx.Err() == nil {
		s.conns[c] = struct{}{}
	}
	s.mu.Unlock()
	if refusal != nil {
		// The socket's buffer is empty, so this waits for nobody.
		c.finish(0, nil, refusal)
		c.end()
		return
	}
	s.wait.Go(c.serve)
}

// full says why a peer gets no connection; nil if it does.
func (s *Server) full(who Peer) *Error {
	if who.Role == None {
		return refuse(NotAllowed, "uid %d may not ask this brood anything", who.UID)
	}
	most, mine := shares[who.Role], 0
	for c := range s.conns {
		if c.who.UID == who.UID {
			mine++
		}
	}
	switch {
	case mine >= most.user:
		return refuse(TooMany, "uid %d has %d connections already; close one", who.UID, mine)
	case len(s.conns) >= most.all:
		return refuse(TooMany, "%d connections are open, and that is all there are for the role %s; try again", len(s.conns), who.Role)
	}
	return nil
}

// leave is told by a connection that has ended.
func (s *Server) leave(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

// takeBack makes a connection's descriptor the reserve again, in one step: were
// it closed first, another part of the daemon could take it.
func (s *Server) takeBack(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reserve != nil || s.ctx.Err() != nil {
		return false
	}
	taken := false
	// What the copy is of does not matter: it is in no poller and nobody reads it.
	err := s.place.Load().raw.Control(func(listener uintptr) {
		_ = c.raw.Control(func(fd uintptr) { taken = unix.Dup3(int(listener), int(fd), unix.O_CLOEXEC) == nil })
	})
	taken = taken && err == nil
	if taken {
		s.reserve = c.file
	}
	return taken
}
