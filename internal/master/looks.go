package master

import (
	"slices"
	"sync"

	"github.com/brood-project/brood/internal/listen"
)

// looks is the looks at accept queues that are to be made outside the loop. One
// goroutine makes them, one after the other. A service that is asked about again
// before its turn has come is looked at once: whoever asked first is told no
// less. So a rush of births leaves one look for each service behind it, and a loop
// that looks by itself waits for one at most.
type looks struct {
	mu   sync.Mutex
	asks []ask
	busy bool
}

// ask is a look at the queues of a service; with tell, its pool is told. pid is a
// worker of it, if one is named: how many clients it has, held, is asked as well.
type ask struct {
	service *service
	queues  []listen.Queue
	tell    bool
	pid     int32
	held    int
	err     error
}

// look finds out what is asked.
func (a *ask) look(at *listen.Survey) {
	a.err = at.Look(a.queues)
	if a.pid != 0 {
		// Where that cannot be found out, it has none, as far as is known.
		a.held, _ = at.Held(a.queues, openSockets(int(a.pid)))
	}
}

// add enters an ask, and tells whether somebody has to run.
func (l *looks) add(a ask) (idle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.asks, func(o ask) bool { return o.service == a.service }); i >= 0 {
		a.tell = a.tell || l.asks[i].tell
		if a.pid == 0 {
			a.pid = l.asks[i].pid
		}
		l.asks[i] = a // it may have other sockets by now
	} else {
		l.asks = append(l.asks, a)
	}
	idle, l.busy = !l.busy, true
	return idle
}

// run has everything that was asked be looked at.
func (l *looks) run(look func(*ask)) {
	for {
		a, ok := l.next()
		if !ok {
			return
		}
		look(&a)
	}
}

// next takes the first ask out; at the end nobody is busy any more.
func (l *looks) next() (a ask, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.asks) == 0 {
		l.busy, l.asks = false, nil
		return ask{}, false
	}
	a, l.asks = l.asks[0], l.asks[1:]
	return a, true
}
