package sim

import (
	"fmt"
	"strings"

	"github.com/brood-project/brood/internal/pool"
)

// Failure is a rule that was broken.
type Failure struct {
	Seed   uint64
	Events int64  // told in this world when it happened
	Rule   string // what was wrong
	// Story is the life of the pool up to there, in the words of package
	// pool's stories, shortened where a shorter one breaks a rule too.
	Story string
}

// Error is the whole report.
func (f *Failure) Error() string {
	return fmt.Sprintf("seed %d, event %d: %s\n%s", f.Seed, f.Events, f.Rule, f.Story)
}

// fail ends the world.
func (w *World) fail(s *service, rule string) {
	if w.failure != nil {
		return
	}
	w.failure = &Failure{Seed: w.seed, Events: w.events, Rule: rule, Story: s.record.story(rule)}
}

// lifeRecord is everything that one pool was told.
type lifeRecord struct {
	policy  pool.Policy
	entries []lifeEntry
}

// lifeEntry is one step: what was told when, and which births it led to.
type lifeEntry struct {
	at       pool.Time
	event    pool.Event
	firstGen uint32
	births   uint32
}

func newLifeRecord(policy pool.Policy) *lifeRecord { return &lifeRecord{policy: policy} }

func (r *lifeRecord) add(at pool.Time, ev pool.Event, did []pool.Action) {
	e := lifeEntry{at: at, event: ev}
	for i := range did {
		if did[i].Kind == pool.Birth {
			if e.births == 0 {
				e.firstGen = did[i].Generation
			}
			e.births++
		}
	}
	r.entries = append(r.entries, e)
}

// story is the shortest life that still breaks a rule, as a story; where none
// does (the rule was one of the world's), the end of the life as it was.
func (r *lifeRecord) story(rule string) string {
	entries, breaks := replay(r.policy, r.entries)
	if breaks != "" {
		entries = shrink(r.policy, entries)
		entries, rule = replay(r.policy, entries)
	}
	const longest = 400
	var b strings.Builder
	fmt.Fprintf(&b, "== %s\n# Found by the simulation.\npolicy %s\n", rule, r.policy)
	if len(entries) > longest {
		fmt.Fprintf(&b, "# … %d events before\n", len(entries)-longest)
		entries = entries[len(entries)-longest:]
	}
	last := pool.Time(second)
	for i := range entries {
		e := &entries[i]
		if d := pool.Duration(e.at - last); d > 0 {
			fmt.Fprintf(&b, "leap %s\n", d)
		} else if d < 0 {
			fmt.Fprintf(&b, "back %s\n", -d)
		}
		last = e.at
		fmt.Fprintf(&b, "%s\n", e.event)
	}
	return b.String()
}

// shrink leaves out what the broken rule does not need, in ever smaller pieces.
func shrink(policy pool.Policy, entries []lifeEntry) []lifeEntry {
	for size := max(1, len(entries)/2); ; size = max(1, size/2) {
		before := len(entries)
		for from := 0; from < len(entries); {
			without := append(append([]lifeEntry(nil), entries[:from]...), entries[min(from+size, len(entries)):]...)
			if told, breaks := replay(policy, without); breaks != "" {
				entries = told
			} else {
				from += size
			}
		}
		if size == 1 && len(entries) == before {
			return entries
		}
	}
}

// replay tells a life, or what is left of it, to a new pool and a new oracle.
// What can not be told any more (the answer to a birth that is not asked for)
// is left out. It returns what was told, and the first rule that was broken.
func replay(policy pool.Policy, entries []lifeEntry) (told []lifeEntry, breaks string) {
	var gens pool.Generations
	p, o := pool.New(policy, &gens), newJudge(policy)
	now := make(map[uint32]uint32) // generations of then, as they are now
	for i := range entries {
		e := entries[i]
		switch g, ok := now[e.event.Generation]; {
		case ok:
			e.event.Generation = g
		case e.event.Kind == pool.Born || e.event.Kind == pool.Stillborn:
			continue
		}
		if !tellable(o, &e.event) {
			continue
		}
		did, wrong := stepBoth(p, o, e.at, e.event)
		r := lifeRecord{}
		r.add(e.at, e.event, did)
		for k := uint32(0); k < min(e.births, r.entries[0].births); k++ {
			now[e.firstGen+k] = r.entries[0].firstGen + k
		}
		e.firstGen, e.births = r.entries[0].firstGen, r.entries[0].births
		told = append(told, e)
		if wrong != "" {
			return told, wrong
		}
	}
	return told, ""
}

// tellable tells whether a system could tell this now.
func tellable(o judge, ev *pool.Event) bool {
	switch ev.Kind {
	case pool.Started:
		return !o.begun()
	case pool.Born:
		return o.expects(ev.Generation) && !o.knows(ev.PID)
	case pool.Stillborn:
		return o.expects(ev.Generation)
	}
	return o.begun()
}
