package master

import "github.com/brood-project/brood/internal/pool"

// note enters an event about a service.
func (m *Master) note(s *service, ev event) {
	ev.name, ev.of = s.plan.Name, s.plan
	m.journal.add(ev)
}

// noteStep notes what was done to a pool and what it does not speak of itself.
func (m *Master) noteStep(s *service, ev *pool.Event, now pool.Time) {
	happened := event{at: now, pid: ev.PID, span: ev.Span}
	switch ev.Kind {
	case pool.Born:
		happened.kind = eventBorn
	case pool.Draining:
		happened.kind = eventDraining
	default:
		return
	}
	m.note(s, happened)
}

// noteAsked notes what an operator has asked for, where nothing else tells.
func (m *Master) noteAsked(what, service string) {
	ev := m.asked(service)
	switch what {
	case "pause":
		ev.kind = eventPaused
	case "resume":
		ev.kind = eventResumed
	case "reset":
		ev.kind = eventReset
	case "restart":
		ev.kind = eventRestarted
	default:
		return
	}
	m.journal.add(ev)
}

// asked begins an event about what an operator has named: a service, by whichever
// of its names, or all.
func (m *Master) asked(service string) event {
	ev := event{at: m.now(), name: service}
	if p, err := one(m.plan.Services, service); err == nil {
		ev.name, ev.of = p.Name, p
	}
	return ev
}

// noteTold counts and notes what a pool has to say, before it is logged.
func (m *Master) noteTold(s *service, a *pool.Action) {
	ev := event{at: m.at, pid: a.PID, code: a.Code, n: a.N, uses: a.Uses, span: a.Age, until: a.At}
	//exhaustive:enforce
	switch a.Note {
	case pool.NoteThrottled:
		s.figured().counts.Throttles++
		ev.kind = eventThrottled
	case pool.NoteStress:
		s.figured().counts.Stresses++
		ev.kind = eventStress
	case pool.NoteReleased:
		ev.kind = eventReleased
	case pool.NoteGaveUp:
		ev.kind = eventGaveUp
	case pool.NoteLimit:
		ev.kind = eventLimit
	case pool.NoteCeiling:
		ev.kind = eventCeiling
	case pool.NoteDeaf:
		ev.kind = eventDeaf
	case pool.NoteRetired:
		ev.kind = eventRetired
	case pool.NoteReplaced:
		ev.kind = eventReplaced
	case pool.NoteStartTimeout, pool.NoteSilent, pool.NoteBusy, pool.NoteKilled:
		ev.kind, ev.limit = eventKilled, limitOf(a.Note)
		m.known(a.PID).passed(ev.limit)
	case pool.NoteDied, pool.NoteStillborn:
		return // noted with all that is known, by mourn and neverBorn
	case pool.NoteWrongGeneration, pool.NoteBadState, pool.NoteForged:
		return // a child can cause them as often as it likes
	}
	m.note(s, ev)
}

// limitOf is the limit of which a note tells that it was passed.
func limitOf(n pool.Note) limit {
	switch n {
	case pool.NoteStartTimeout:
		return limitStart
	case pool.NoteSilent:
		return limitHeartbeat
	case pool.NoteBusy:
		return limitBusy
	case pool.NoteKilled:
		return limitStop
	default:
		return noLimit
	}
}
