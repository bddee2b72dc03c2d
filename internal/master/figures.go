package master

import (
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// figures is what has happened to a service. A service that sleeps has none.
// They are the loop's, as all state is, and so need no lock; what an event adds
// to them costs no allocation, and no look at the clock but the one that its
// pool needs in any case.
type figures struct {
	// counts has Saturated only for pools that are gone.
	counts scoreboard.Counts
	wait   scoreboard.Histogram
	job    scoreboard.Histogram
	// cpu is what the dead have used.
	cpu int64
	// seen is when the client was seen waiting who is next to be taken; 0 if
	// nobody is known to wait.
	seen pool.Time
	// watched is when a watch of the sockets last began. Whoever waited then is
	// told of at once.
	watched pool.Time
	// failure and death are the last of each; their times are the loop's, and 0
	// where there was none.
	failure, death scoreboard.Death
	// missing is why the sockets could not be opened.
	missing string
	gossip  gossip
}

// gossip is how many lines about what children claim were logged, and not, since
// a time.
type gossip struct {
	since       pool.Time
	count, lost int
}

// atOnce is the longest that the news of a client who waited already takes to
// reach us once his socket is watched.
const atOnce = pool.Time(50 * pool.Millisecond)

// figured is the figures of a service, which it is given with the first thing that
// is worth counting.
func (s *service) figured() *figures {
	if s.figures == nil {
		s.figures = &figures{}
	}
	return s.figures
}

// count enters a step of a pool, after it was made.
func (s *service) count(ev *pool.Event, now pool.Time) {
	switch ev.Kind {
	case pool.ClientWaits:
		s.figured().clientSeen(now)
	case pool.Reported:
		switch moved := s.pool.Moved(); {
		case moved.Took:
			s.figured().clientTaken(now, s.crowd > 0)
		case moved.Freed:
			s.figured().job.Add(int64(moved.Busy))
		}
	case pool.Born:
		s.figured().counts.Births++
		if s.plan.Policy.Single {
			s.figures.clientTaken(now, s.crowd > 0)
		}
	default:
	}
}

// clientSeen notes since when a client waits. One who was seen before and not
// taken waits still, unless his socket was found empty since.
func (f *figures) clientSeen(now pool.Time) {
	if f.seen == 0 || now-f.watched > atOnce {
		f.seen = now
	}
}

// clientTaken counts a client; more tells that others were seen when he was, and
// wait still.
func (f *figures) clientTaken(now pool.Time, more bool) {
	f.counts.Clients++
	if f.seen == 0 {
		return // he came while somebody was free, and was not seen at all
	}
	f.wait.Add(int64(now - f.seen))
	if !more {
		f.seen = 0
	}
}

// loopFigures is how the loop does.
type loopFigures struct {
	scoreboard.Loop
	began pool.Time // of the turn at hand
}

// turned counts a turn that has just ended.
func (f *loopFigures) turned(now pool.Time) {
	span := int64(now - f.began)
	f.Turns++
	f.Busy += span
	f.Slowest = max(f.Slowest, span)
	f.Turn.Add(span)
}
