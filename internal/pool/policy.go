package pool

// Time is a point on the caller's clock, in nanoseconds since a start that the
// caller chooses. It never goes back.
type Time int64

// Duration is a span of Time, in nanoseconds.
type Duration int64

// Spans that policies are written in.
const (
	Millisecond Duration = 1_000_000
	Second               = 1000 * Millisecond
)

// Spans that Postfix has fixed, and those of our own that nobody needs to tune.
const (
	// stressMemory is how long a service stays under stress after the last
	// time that its limit was near, and how long a limit warning is not
	// repeated.
	stressMemory = 1000 * Second
	// fullPatience is how long a service whose limit is one may keep its
	// clients waiting before that is worth a warning: being busy is the
	// ordinary state of such a service.
	fullPatience = 2 * Second
	// startPatience is how long a newborn of an opaque pool counts as on its
	// way, where the policy has no StartTimeout.
	startPatience = 10 * Second
	// heirPatience is how long the successor of a worker that does not tell
	// when it is ready is given before the old one goes.
	heirPatience = Second
	// measureSpan is the least time between two measurements of one worker.
	measureSpan = 10 * Second
	// askSpan is how often a pool that waits at a ceiling asks the others.
	askSpan = Second
	// insistAfter is how long it does so before it asks for an equal's place.
	insistAfter = 10 * Second
	// cradleSpan and fruitlessMost: so many normal ends in a row of children so
	// young that nobody has heard of are a failure too, and so is each further
	// one, the probe's to begin with.
	cradleSpan    = Second
	fruitlessMost = 10
	// floorThrottle keeps a pool whose floor cannot be born from trying all the
	// time, where the policy has neither Throttle nor Backoff.
	floorThrottle = Second
	// looksPerWait is how often the queue is looked at within Policy.Wait
	// where nobody can say how old the oldest client is.
	looksPerWait = 4
	// replacedShare is how many workers there are to each that is being
	// replaced.
	replacedShare = 10
)

// Policy is how a service wants its pool to live. The zero value of each field
// is the absence of that policy.
type Policy struct {
	// Limit is the most children at one time, old ones included; 0 means no
	// limit.
	Limit int
	// Throttle is how long no child is born after one died in its cradle,
	// or after a birth failed. Backoff is used in its place where it is set.
	Throttle Duration
	// Stress has the pool ask its children to restart, and tell those born
	// later, when the limit comes near. Postfix gives it to services that a
	// remote client can reach and whose limit is above 1.
	Stress bool
	// StressKeep leaves the children of before alone in a time of stress:
	// only those born later are told.
	StressKeep bool
	// Wakeup is the time between two wake-ups; 0 means none.
	Wakeup Duration
	// WakeupOnUse starts the wake-up timer only once a child was born for
	// another reason ("N?" in master.cf).
	WakeupOnUse bool
	// KillAfter is how long a child may ignore TERM once its service is
	// stopped, before it is killed; 0 means for ever. Stop is used in its place
	// where it is set.
	KillAfter Duration
	// Patience is how long a newborn child may leave the clients waiting
	// before the pool stops counting on it and gives birth to another; 0
	// means for ever, as in Postfix.
	Patience Duration
	// Ramp is the most children that may be on their way at one time, from
	// the request for a birth to the first report (or Ready), when several
	// clients wait or a floor is to be reached; 0 means 1.
	Ramp int

	// Min is how many children live always, with or without clients.
	Min int
	// Spare is how many free children are kept ready for the clients to come.
	// A pool at rest has the larger of Min and Spare.
	Spare int
	// Opaque says that the children may never tell who is busy. The first one
	// who does proves the contrary, until the next reload.
	Opaque bool
	// Wait is how long the oldest client of an opaque pool waits in the accept
	// queue before a further child is born for it. The first child of an empty
	// pool is born at once.
	Wait Duration
	// Single says that each child is given one client at its birth and lives
	// for that client (inetd).
	Single bool
	// Ready says that each child will tell when it has started.
	Ready bool
	// StartTimeout is how long a start may take: until Ready, or else, for
	// children that tell who is busy, until the first report while clients
	// wait. The child is then ended, and it counts as a failure. An opaque pool
	// without Ready cannot know, and ends nobody.
	StartTimeout Duration
	// Idle is how long a child above Min and Spare stays when it is not needed;
	// 0 means for ever. What counts is how many were free all that time, not
	// which, so that the pool shrinks whatever order clients are taken in.
	Idle Duration
	// MaxUse (clients), MaxAge and MaxMemory (bytes) are what a child is
	// replaced after. At most one in ten, and at least one, is being replaced
	// at a time, and its successor comes first where the limit permits.
	MaxUse    int
	MaxAge    Duration
	MaxMemory int64
	// Heartbeat is the longest silence between two Heartbeats. It begins
	// with Ready, and otherwise with the first of them.
	Heartbeat Duration
	// Busy is the longest that one client may hold a child that tells of it.
	Busy Duration
	// Stop is how a child is retired. Its zero value leaves that to the
	// children, as in Postfix.
	Stop Stopping
	// Backoff is how long no child is born after failures.
	Backoff Backoff
}

// Stopping is how a child is retired: no new work; the stop signal once it is
// free, or after Drain; KILL after Timeout.
type Stopping struct {
	// Drain is how long the client in hand may take; 0 means as long as it
	// needs.
	Drain Duration
	// Signal is the number of the stop signal, see signal(7); 0 means TERM. The
	// pool needs it to tell an end that was asked for from a crash.
	Signal int32
	// Timeout is how long the child may take after the signal; 0 means for
	// ever.
	Timeout Duration
}

// Backoff is how long no child is born after one ended abnormally before its
// first client, did not start in time, or could not be born, and after ten in a
// row that ended normally within a second and were never heard of. A child of a
// Single pool may have failed because of its client, and counts only where its
// program could not be executed; one of an Opaque pool is held to have served once
// it alone can have taken the clients that are gone. After the wait one child is
// tried alone, the probe; the next is born only once that is well: it was heard
// of, has lived as long as the wait was, or ended, and not by a failure. Those who
// live go on serving.
type Backoff struct {
	// First is the wait after the first failure; 0 means no Backoff.
	First Duration
	// Factor is how many times longer each further failure in a row makes
	// it, up to Max; below 1 it means 1, and a Max of 0 means no bound.
	Factor float64
	Max    Duration
	// Stable is the life that counts as a success whether the child has
	// served or not, and how long after a wait without another failure the
	// failures are forgotten; 0 means Max. A client served by a child born
	// since forgets them at once.
	Stable Duration
	// Tries is after how many failures in a row the pool gives up until it is
	// pardoned or replanned; 0 means never.
	Tries int
}

// managed tells whether the pool retires its children itself.
func (p *Policy) managed() bool { return p.Stop != Stopping{} }

// ramp is the most births under way.
func (p *Policy) ramp() int { return max(1, p.Ramp) }

// patience is how long a newborn that has not been heard of is believed in.
func (p *Policy) patience() Duration {
	switch {
	case p.Opaque || p.Ready || p.Single:
		return 0
	case p.Patience > 0:
		return p.Patience
	}
	return p.StartTimeout
}

// startSpan is how long a start may take before it is no excuse any more.
func (p *Policy) startSpan() Duration {
	if p.StartTimeout > 0 {
		return p.StartTimeout
	}
	return startPatience
}

// stable is the life that counts as a success.
func (b *Backoff) stable() Duration {
	if b.Stable > 0 {
		return b.Stable
	}
	return b.Max
}

// wait is how long no child is born after so many failures in a row.
func (b *Backoff) wait(failures int) Duration {
	wait := float64(b.First)
	most := float64(b.Max)
	if b.Max <= 0 {
		most = 1 << 62
	}
	for range failures - 1 {
		if wait >= most || b.Factor <= 1 {
			break
		}
		wait *= b.Factor
	}
	return Duration(min(wait, max(most, float64(b.First))))
}

// Sleeps tells whether a pool that has Started does nothing but Watch until a
// first client comes.
func (p *Policy) Sleeps() bool {
	return (p.Wakeup <= 0 || p.WakeupOnUse) && p.Min <= 0 && p.Spare <= 0
}
