package master

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// This file holds the lines about services of brood.toml, in words of our own.
// Each names the service and says what happens next, or what can be done.

// tellNative logs what a pool has to say.
func (m *Master) tellNative(s *service, a *pool.Action) {
	policy := s.plan.Policy
	//exhaustive:enforce
	switch a.Note {
	case pool.NoteDied:
		m.warnf(s, "worker %d ended: %s, after %s", a.PID, ending(a.Code), lifeOf(s, a))
	case pool.NoteStillborn:
		// Logged by tellStillborn, which knows the step that failed.
	case pool.NoteThrottled:
		// The policy's own figure, whatever time was spent since it was asked.
		until := time.Now().Add(time.Duration(a.At - m.now()))
		m.withLastWords(s, a, fmt.Sprintf("no worker is born for %s, until %s", seconds(pool.Duration(a.At-m.at)), until.Format(time.TimeOnly)))
	case pool.NoteReleased:
		m.log.Info(fmt.Sprintf("service %q: births are allowed again", s.plan.Name), "service", s.plan.Name)
	case pool.NoteLimit:
		m.warnf(s, "clients wait, and all %d workers are there; raise workers.max in %s, or have clients served faster", a.N, m.opts.LimitFile)
	case pool.NoteStress:
		m.log.Info(fmt.Sprintf("service %q: the pool is nearly full, stress begins", s.plan.Name), "service", s.plan.Name)
	case pool.NoteWrongGeneration, pool.NoteBadState, pool.NoteForged:
		m.tellGossip(s, a)
	case pool.NoteDeaf:
		m.warnf(s, "worker %d has left clients waiting for %s: not counting on it any more", a.PID, seconds(a.Age))
	case pool.NoteKilled:
		m.warnf(s, "worker %d did not end within %s of the stop signal: killing it (stop.timeout)", a.PID, seconds(policy.Stop.Timeout))
	case pool.NoteStartTimeout:
		m.warnf(s, "worker %d was not ready after %s: ending it (start.timeout)", a.PID, seconds(a.Age))
	case pool.NoteSilent:
		m.warnf(s, "worker %d has sent no WATCHDOG=1 for %s: ending it (heartbeat)", a.PID, seconds(policy.Heartbeat))
	case pool.NoteBusy:
		m.warnf(s, "worker %d has been with one client for %s: ending it (busy)", a.PID, seconds(policy.Busy))
	case pool.NoteGaveUp:
		m.withLastWords(s, a, fmt.Sprintf("gave up after %d failed births in a row; mend it and reload", a.N))
		m.gaveUp(s)
	case pool.NoteRetired:
		m.debugf(s, "worker %d is not needed any more, after %s", a.PID, lifeOf(s, a))
	case pool.NoteReplaced:
		m.debugf(s, "worker %d is replaced because of %s, after %s", a.PID, reason(pool.Reason(a.N)), lifeOf(s, a))
	case pool.NoteCeiling:
		m.warnf(s, "clients wait, and a ceiling of %d workers over several services is reached; raise it in %s", a.N, m.opts.LimitFile)
	}
}

// tellGossip logs what a child can cause as often as it likes.
func (m *Master) tellGossip(s *service, a *pool.Action) {
	what := fmt.Sprintf("worker %d sent a report with the generation %d of another", a.PID, a.Generation)
	if a.Note == pool.NoteBadState {
		what = fmt.Sprintf("worker %d sent the unknown state %d", a.PID, a.Code)
	}
	if a.Note == pool.NoteForged {
		what = fmt.Sprintf("process %d sent a report in the name of worker %d", a.Code, a.PID)
	}
	m.gossip(s, slog.LevelWarn, fmt.Sprintf("service %q: %s: ignored", s.plan.Name, what))
}

// lifeOf is how long the worker has lived that a note is about, and for how many
// clients.
func lifeOf(s *service, a *pool.Action) string { return life(s.plan, a.Age, a.Uses) }

// life is how long a worker of a service has lived, and for how many clients,
// where that is known: one that does not tell may have served any number, and one
// of inetd is there for the one that it was born with.
func life(of *plan.Service, age pool.Duration, uses uint32) string {
	if uses == 0 && of != nil && (of.Policy.Opaque || of.Policy.Single) {
		return seconds(age)
	}
	return seconds(age) + " and " + clients(uses)
}

// clients is a number of them in words.
func clients(n uint32) string {
	if n == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", n)
}

// reason is the key in brood.toml that has a worker replaced.
func reason(r pool.Reason) string {
	switch r { //exhaustive:enforce
	case pool.ReasonUse:
		return "max_use"
	case pool.ReasonAge:
		return "max_age"
	case pool.ReasonMemory:
		return "max_memory"
	case pool.ReasonPlan:
		return "a new plan"
	}
	return "an unknown reason"
}

// withLastWords logs what follows from a death, and what the dead said last.
// That is read outside the loop, so the line may come a moment later.
func (m *Master) withLastWords(s *service, a *pool.Action, what string) {
	why := "the birth failed"
	if a.PID != 0 {
		why = fmt.Sprintf("worker %d %s, after %s", a.PID, ending(a.Code), lifeOf(s, a))
	}
	if w := m.children[a.PID]; w != nil {
		why = fmt.Sprintf("worker %d did not start", a.PID)
	}
	w := m.known(a.PID)
	log := func(words []string) {
		text := ""
		if len(words) > 0 {
			text = "; last words: " + strings.Join(scoreboard.Unframed(words), " | ")
		}
		m.warnf(s, "%s (%s%s)", what, why, text)
	}
	if w == nil || w.output == nil {
		log(nil)
		return
	}
	words := m.words // of one who has died; who has not may not have said its last
	if words == nil {
		words = w.output.LastWords
	}
	m.later.Go(func() { log(words()) })
}

func (m *Master) logPicture(w *worker, age, text string) {
	m.warnf(w.service, "worker %d at the age of %s: %s", w.pid, age, text)
}

func (m *Master) logBadState(w *worker, state string) {
	state = printable(state)
	m.gossip(w.service, slog.LevelWarn, fmt.Sprintf("service %q: worker %d sent the unknown X_BROOD_STATE %q: ignored", w.service.plan.Name, w.pid, state))
}

func (m *Master) logNotItsMain(w *worker, pid int64) {
	m.gossip(w.service, slog.LevelWarn, fmt.Sprintf("service %q: worker %d named process %d as MAINPID, which does not descend from it: ignored", w.service.plan.Name, w.pid, pid))
}

func (m *Master) logShared(s *service, e plan.Endpoint) {
	m.warnf(s, "somebody listens at %s already: a worker that outlived another broodd, or another program of this user; clients go to either", e)
}

func (m *Master) logOutputFailed(s *service, err error) {
	m.warnf(s, "what a worker writes is lost: %v", err)
}

func (m *Master) logMissing(s *service, err error) {
	if ds, ok := err.(plan.Diagnostics); ok {
		m.logDiagnostics(ds)
	}
	m.warnf(s, "it does not listen, the others do; trying again every %s", listenAgain)
}

func (m *Master) logFound(s *service) {
	m.log.Info(fmt.Sprintf("service %q: it listens now", s.plan.Name), "service", s.plan.Name)
}

func (m *Master) logCannotShut(s *service, err error) { m.warnf(s, "its sockets stay open: %v", err) }

func (m *Master) logFarewell(why os.Signal, span time.Duration) {
	patience := "as long as they need"
	if span > 0 {
		patience = span.String() + " at most"
	}
	m.log.Info(fmt.Sprintf("stopping on signal %v: workers may finish their clients, for %s; the same signal again stops them now", why, patience))
}

func (m *Master) logHurry(why os.Signal) {
	m.log.Info(fmt.Sprintf("stopping now on signal %v", why))
}

func (m *Master) warnf(s *service, format string, args ...any) {
	m.warn(s, fmt.Sprintf("service %q: %s", s.plan.Name, fmt.Sprintf(format, args...)))
}

func (m *Master) debugf(s *service, format string, args ...any) {
	m.log.Debug(fmt.Sprintf("service %q: %s", s.plan.Name, fmt.Sprintf(format, args...)), "service", s.plan.Name)
}
