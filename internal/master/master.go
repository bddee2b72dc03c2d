package master

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/listen"
	"github.com/brood-project/brood/internal/output"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// Proposal is a plan that was read and is not in force yet.
type Proposal struct {
	Plan *plan.Plan
	// Warnings do not stand in the way of the plan.
	Warnings plan.Diagnostics
	// Drain is what Options.Drain is from then on.
	Drain time.Duration
	// Details says what else of the daemon's own settings will differ, a line
	// each.
	Details []string
	// Accepted, if not nil, is called in the loop once the plan is in force.
	Accepted func()
}

// Options is what a Master is made from.
type Options struct {
	// First is the plan to begin with.
	First *plan.Plan
	// Reload reads the plan anew. It is called outside the loop and may take
	// its time. An error leaves the plan in force as it is; one of type
	// plan.Diagnostics is logged line by line.
	Reload func() (*Proposal, error)
	// Describe is what the log says after "reload -- ".
	Describe string
	// LimitFile is where the operator writes process limits.
	LimitFile string
	// Log takes all lines; its handler MUST not block for long.
	Log *slog.Logger
	// LastWords finds what a child that has died said last, "" if that
	// cannot be known. It is called outside the loop. May be nil.
	LastWords func(pid int, died time.Time) string
	// WakeUID and WakeGID are whose rights a wake-up of a fifo uses.
	WakeUID, WakeGID int
	// QueueDirectory is what Postfix's wording of an error leaves out of paths;
	// empty for native services.
	QueueDirectory string
	// Output takes what the workers of brood.toml write; nil leaves them our
	// standard output.
	Output *output.Collector
	// Version is the daemon's, for pictures.
	Version string
	// Gentle has TERM, INT and QUIT be carried out by the loop, which then ends
	// when the last worker has: the first TERM or INT lets workers finish their
	// clients, for Drain at most (0: as long as they need), a second one or a
	// QUIT sends them the stop signal at once. Otherwise the loop ends at once.
	Gentle bool
	Drain  time.Duration
}

// Master is a running set of services. All its fields belong to the loop.
type Master struct {
	opts  Options
	log   *slog.Logger
	epoch time.Time

	plan     *plan.Plan
	services map[string]*service
	// ending are services that the plan has no more, until their last child
	// is gone.
	ending map[*service]struct{}
	// children are alive, or on their way, by pid.
	children map[int32]*worker
	dying    *worker // is being buried
	// words finds what the one that is being buried said last; nil where that
	// was not asked for.
	words func() []string
	// inquests is after how many deaths last words are being looked for.
	inquests int
	// unexplained are dead of whom it is not known whether the kernel has killed
	// them; explaining tells that this is being found out for others.
	unexplained []*worker
	explaining  bool
	gens        pool.Generations
	// ceilings are in the order in which pools take their places.
	ceilings []ceiling
	pools    map[*pool.Pool]*service // those under a ceiling

	sockets *listen.Set
	poller  *poller
	flow    [2]int
	null    int // /dev/null, once it is needed
	notify  *notifySocket
	// strangers closes what processes send that are nobody's workers.
	strangers closer
	deaths    source

	signals  chan os.Signal
	proposed chan proposed
	calls    chan func()
	timer    *time.Timer
	rings    timerHeap
	ringing  pool.Time // what timer is set to; 0 when it is stopped
	tidyAt   pool.Time // when to look at births again; 0 if there is no need
	unused   []disuse  // in the order of births
	late     []putOff  // births that wait for descriptors
	lateAt   pool.Time // when they are tried again; 0 if there are none
	freed    pool.Time // the turn in which descriptors were last given back
	scarce   *service  // had a birth fail for want of descriptors in this turn

	countAfter pool.Time // no count of clients before

	at      pool.Time // of the step at hand, or the last
	timed   bool      // at is that of the step to come
	figures loopFigures
	journal journal
	kills   kernelKills
	survey  *listen.Survey // nil where the kernel has none
	ages    *listen.Survey // asks for the clients of one service; nil until it is needed
	looks   looks          // are made with ages
	drawn   atomic.Pointer[weak.Pointer[scoreboard.Picture]]
	// drawnLast is how many services the last picture of all had.
	drawnLast atomic.Int64
	// busySince is since when the loop has been at its turn; 0 while it waits.
	busySince atomic.Int64
	wall      int64 // see wallEpoch
	reloaded  *scoreboard.Reload
	deadline  pool.Time     // when workers are stopped that are not done; 0 for none
	over      chan struct{} // is closed when the loop has ended

	queue    []queued
	stepping bool
	dirty    []*service
	reading  *reading   // is read now
	readings []*reading // wait for their turn
	reader   statusReader
	begun    bool // the first plan is in force
	retry    *time.Timer
	closing  os.Signal // why everything is being ended gently
	exodus   *exodus   // everything of Postfix is being drained
	drains   []*drain  // are followed
	failed   bool
	ended    os.Signal
	// later is what runs outside the loop and should be let finish.
	later sync.WaitGroup
}

// queued is an event on its way to a pool.
type queued struct {
	service *service
	event   pool.Event
}

// New opens every socket of the first plan. AFTER: either all are open, but for
// those of services that the plan can do without for a while, or the error says
// which are not and why, and none is. From here on, signals are kept for Run.
func New(opts Options) (*Master, error) {
	m := &Master{
		opts:     opts,
		log:      opts.Log,
		epoch:    time.Now().Add(-time.Second),
		plan:     &plan.Plan{},
		services: make(map[string]*service, len(opts.First.Services)),
		ending:   make(map[*service]struct{}),
		children: make(map[int32]*worker),
		pools:    make(map[*pool.Pool]*service),
		null:     -1,
		sockets:  &listen.Set{},
		signals:  make(chan os.Signal, 64),
		proposed: make(chan proposed, 1),
		calls:    make(chan func(), 16),
		over:     make(chan struct{}),
		timer:    time.NewTimer(time.Hour),
	}
	m.timer.Stop()
	signal.Notify(m.signals, unix.SIGHUP, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT)
	// Go ends a process that writes to a standard file whose reader is gone.
	signal.Ignore(unix.SIGPIPE)
	if err := m.openShared(); err != nil {
		return nil, err
	}
	if _, err := m.adopt(opts.First); err != nil {
		m.closeShared()
		return nil, err
	}
	m.begun = true
	return m, nil
}

// Failed tells, once Run has returned, that a service that cannot be started has
// ended it.
func (m *Master) Failed() bool { return m.failed }

// now is the pools' clock. It begins at one second, because 0 means never.
func (m *Master) now() pool.Time { return pool.Time(time.Since(m.epoch)) }

// ErrOver is the answer of every method to whoever asks a loop that has ended.
var ErrOver = errors.New("cannot ask the loop: it has ended")

// Call runs f in the loop and returns when it is done, or with ctx.
func (m *Master) Call(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case m.calls <- func() { f(); close(done) }:
	case <-ctx.Done():
		return ctx.Err()
	case <-m.over:
		return ErrOver
	}
	select {
	case <-done:
		return nil
	case <-m.over:
		select {
		case <-done: // it has ended with f
			return nil
		default:
			return ErrOver
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}
