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

// Spans that Postfix has fixed, and two of our own that nobody needs to tune.
const (
	// stressMemory is how long a service stays under stress after the last
	// time that its limit was near, and how long a limit warning is not
	// repeated.
	stressMemory = 1000 * Second
	// fullPatience is how long a service whose limit is one may keep its
	// clients waiting before that is worth a warning: being busy is the
	// ordinary state of such a service.
	fullPatience = 2 * Second
)

// Policy is how a service wants its pool to live. The zero value of each field
// is the absence of that policy.
type Policy struct {
	// Limit is the most children at one time, old ones included; 0 means no
	// limit.
	Limit int
	// Throttle is how long no child is born after one died in its cradle,
	// or after a birth failed.
	Throttle Duration
	// Stress has the pool ask its children to restart, and tell those born
	// later, when the limit comes near. Postfix gives it to services that a
	// remote client can reach and whose limit is above 1.
	Stress bool
	// Wakeup is the time between two wake-ups; 0 means none.
	Wakeup Duration
	// WakeupOnUse starts the wake-up timer only once a child was born for
	// another reason ("N?" in master.cf).
	WakeupOnUse bool
	// KillAfter is how long a child may ignore TERM once its service is
	// stopped, before it is killed; 0 means for ever.
	KillAfter Duration
	// Patience is how long a newborn child may leave the clients waiting
	// before the pool stops counting on it and gives birth to another; 0
	// means for ever, as in Postfix.
	Patience Duration
	// Ramp is the most children that may be on their way at one time, from
	// the request for a birth to the first report, when several clients wait;
	// 0 means 1.
	Ramp int
}

// Sleeps tells whether a pool that has Started does nothing but Watch until a
// first client comes.
func (p *Policy) Sleeps() bool { return p.Wakeup <= 0 || p.WakeupOnUse }
