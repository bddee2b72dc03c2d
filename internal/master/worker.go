package master

import (
	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/child"
	"github.com/brood-project/brood/internal/output"
	"github.com/brood-project/brood/internal/pool"
)

// worker is one child alive.
type worker struct {
	service    *service
	pid        int32
	generation uint32
	// output is what it writes; nil where that is not captured.
	output *output.Stream
	// status is what it said of itself last, in its own words.
	status string
	// main holds the process that it named as the one to stop (MAINPID); -1
	// for none.
	main int
	// look is the picture of it; nil if none was taken.
	look *look
	// limit is which it has passed first; killed tells that it was sent KILL.
	limit  limit
	killed bool
}

// look is a picture of a worker that hangs.
type look struct {
	// taking is true until it is there; signals wait for that.
	taking  bool
	waiting []func()
	// place is what it shows.
	place string
}

// event is one about the worker.
func (w *worker) event(kind pool.EventKind) pool.Event {
	return pool.Event{Kind: kind, PID: w.pid, Generation: w.generation}
}

// known finds a child that is alive, or being buried.
func (m *Master) known(pid int32) *worker {
	if w := m.children[pid]; w != nil {
		return w
	}
	if w := m.dying; w != nil && w.pid == pid {
		return w
	}
	return nil
}

// kill signals a child. It may be gone already, which its death will tell.
func (m *Master) kill(pid int32, sig unix.Signal) {
	if err := child.Signal(int(pid), sig); err != nil && err != unix.ESRCH {
		m.logSignalFailed(pid, sig, err)
	}
}

// stop sends the service's own stop signal, to the process that the worker named
// if it has.
func (m *Master) stop(s *service, pid int32) {
	w, sig := m.children[pid], stopSignal(s)
	if w == nil {
		return
	}
	m.afterPicture(w, func() {
		if w.main >= 0 && unix.PidfdSendSignal(w.main, sig, nil, 0) == nil {
			return
		}
		m.kill(pid, sig)
	})
}

func stopSignal(s *service) unix.Signal {
	if sig := s.plan.Policy.Stop.Signal; sig != 0 {
		return unix.Signal(sig)
	}
	return unix.SIGTERM
}

// end kills a child; one of brood.toml with all of its process group.
func (m *Master) end(s *service, pid int32) {
	w := m.children[pid]
	if w != nil {
		w.killed = true
	}
	if s.plan.Wishes == nil || w == nil {
		m.kill(pid, unix.SIGKILL)
		return
	}
	m.afterPicture(w, func() {
		if w.main >= 0 {
			_ = unix.PidfdSendSignal(w.main, unix.SIGKILL, nil, 0)
		}
		if child.SignalGroup(int(pid), unix.SIGKILL) != nil {
			m.kill(pid, unix.SIGKILL) // it may have left for another group
		}
	})
}

// afterPicture does what changes a worker, once no picture of it is being taken.
func (m *Master) afterPicture(w *worker, f func()) {
	if w.look != nil && w.look.taking {
		w.look.waiting = append(w.look.waiting, f)
		return
	}
	f()
}

// forget closes what is held of a worker that has ended. Its last lines may
// still be on their way.
func (w *worker) forget() {
	w.forgetMain()
	if w.output != nil {
		w.output.Died()
	}
	if w.look != nil {
		w.look.waiting = nil
	}
}

// forgetMain has the worker itself be the process to stop.
func (w *worker) forgetMain() {
	if w.main >= 0 {
		unix.Close(w.main)
		w.main = -1
	}
}
