package pool

// recorderLength is how many events of each service are kept. A service that
// nothing happens to keeps none.
const recorderLength = 64

// Entry is one remembered step: what happened when, and what kinds of action
// followed.
type Entry struct {
	At      Time
	Event   Event
	Actions ActionSet
}

// ActionSet is a set of action kinds.
type ActionSet uint32

// Has tells whether the set holds a kind.
func (s ActionSet) Has(k ActionKind) bool { return s&(1<<k) != 0 }

// Recorder is the flight recorder of one pool: its last events, in order.
type Recorder struct {
	ring  []Entry
	total uint64
}

// record keeps one step. A ring of the clock, a heartbeat or a measurement that
// led to nothing, or a start that led to nothing but watching, is not worth a
// place.
func (r *Recorder) record(now Time, ev Event, actions []Action) {
	e := Entry{At: now, Event: ev}
	for i := range actions {
		e.Actions |= 1 << actions[i].Kind
	}
	quiet := ev.Kind == Ticked || ev.Kind == Heartbeat || ev.Kind == Measured
	if quiet && e.Actions&^(1<<Arm) == 0 || ev.Kind == Started && e.Actions&^(1<<Watch) == 0 {
		return
	}
	if len(r.ring) < recorderLength {
		r.ring = append(r.ring, e)
	} else {
		r.ring[r.total%recorderLength] = e
	}
	r.total++
}

// Entries is the remembered steps, oldest first, as a copy, and how many there
// have been in all.
func (r *Recorder) Entries() (entries []Entry, total uint64) {
	if len(r.ring) < recorderLength {
		return append(entries, r.ring...), r.total
	}
	oldest := r.total % recorderLength
	entries = append(entries, r.ring[oldest:]...)
	return append(entries, r.ring[:oldest]...), r.total
}
