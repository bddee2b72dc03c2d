package master

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// journalLength is how many events are kept.
const journalLength = 1024

// eventKind is the kind of a notable event.
type eventKind uint8

const (
	eventBorn eventKind = iota + 1
	eventDied
	eventStillborn
	eventMemory
	eventThrottled
	eventReleased
	eventGaveUp
	eventLimit
	eventCeiling
	eventStress
	eventDeaf
	eventKilled
	eventRetired
	eventReplaced
	eventPaused
	eventResumed
	eventScaled
	eventDraining
	eventReset
	eventRestarted
	eventReload
	eventRefused
	eventMissing
	eventFound
	eventReopened
	eventStopping
)

// event is a notable one as the loop notes it. It is put into words when
// somebody asks.
type event struct {
	kind  eventKind
	limit limit
	pid   int32
	code  int32
	n     int32
	uses  uint32
	at    pool.Time
	span  pool.Duration
	until pool.Time
	name  string        // of the service, as it is called or was asked for
	of    *plan.Service // nil where it concerns no one of them
	text  string        // where the event has words of its own
}

// journal is the last events. The ring and the counts belong to the loop; those
// who wait for news are told after the turn, so that a reader who does not read
// costs nothing.
type journal struct {
	ring []event
	// total is how many there have been, told how many of them when the readers
	// were last told.
	total, told uint64

	// readers is replaced, never changed, by whoever has mu.
	mu      sync.Mutex
	readers atomic.Pointer[[]chan struct{}]
}

// add notes an event. The ring grows to its length and stays; a brood to which
// nothing happens has none.
func (j *journal) add(ev event) {
	if len(j.ring) < journalLength {
		j.ring = append(j.ring, ev)
	} else {
		j.ring[j.total%journalLength] = ev
	}
	j.total++
}

// tell tells those who wait that there is news.
func (j *journal) tell() {
	if j.told == j.total {
		return
	}
	j.told = j.total
	readers := j.readers.Load()
	if readers == nil {
		return
	}
	for _, r := range *readers {
		select {
		case r <- struct{}{}:
		default: // it has not read the last news
		}
	}
}

// since is a copy of the events behind the one with a number, and the number of
// the first of them.
func (j *journal) since(seq uint64) (events []event, first uint64) {
	first = max(seq, j.total-uint64(len(j.ring))) + 1
	for n := first; n <= j.total; n++ {
		events = append(events, j.ring[(n-1)%journalLength])
	}
	return events, first
}

// subscribe adds a reader.
func (j *journal) subscribe() (notify <-chan struct{}, cancel func()) {
	mine := make(chan struct{}, 1)
	j.replace(func(readers []chan struct{}) []chan struct{} { return append(readers, mine) })
	return mine, func() {
		j.replace(func(readers []chan struct{}) []chan struct{} {
			kept := readers[:0]
			for _, r := range readers {
				if r != mine {
					kept = append(kept, r)
				}
			}
			return kept
		})
	}
}

// replace puts another list of readers into force, made from a copy.
func (j *journal) replace(change func([]chan struct{}) []chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var readers []chan struct{}
	if old := j.readers.Load(); old != nil {
		readers = append(readers, *old...)
	}
	readers = change(readers)
	if len(readers) == 0 {
		j.readers.Store(nil)
		return
	}
	j.readers.Store(&readers)
}

// concerns tells whether an event is about the service that somebody means, who
// may have written its name, NAME/TYPE, or its key.
func (ev *event) concerns(service string) bool {
	return service == "" || ev.name == service || ev.of != nil && meansAlone(service, ev.of)
}

// Events is what has happened, the oldest first, but for what came up to the
// event with the number since; of one service, by name, NAME/TYPE or key, if
// service is not empty. last is the number of the last of all. The last 1,024 are
// kept; a gap in the numbers tells of others. The error is that of the context, or
// ErrOver.
func (m *Master) Events(ctx context.Context, since uint64, service string) (told []scoreboard.Event, last uint64, err error) {
	var events []event
	var first uint64
	var epoch int64
	if err := m.Call(ctx, func() {
		events, first = m.journal.since(since)
		epoch = m.wallEpoch()
	}); err != nil {
		return nil, 0, err
	}
	told = make([]scoreboard.Event, 0, len(events))
	for i := range events {
		ev := &events[i]
		if !ev.concerns(service) {
			continue
		}
		told = append(told, scoreboard.Event{
			Seq: first + uint64(i), At: epoch + int64(ev.at), Service: ev.name,
			Kind: ev.kind.String(), PID: ev.pid, Text: ev.words(epoch),
		})
	}
	return told, first + uint64(len(events)) - 1, nil
}

// Subscribe gives a channel that tells that there are new events since it was
// read last; cancel ends that. Whoever does not read it misses nothing that
// Events does not keep, and holds up nobody.
func (m *Master) Subscribe() (notify <-chan struct{}, cancel func()) {
	return m.journal.subscribe()
}
