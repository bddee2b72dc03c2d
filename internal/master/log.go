package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/child"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// This file holds every line that the loop logs of services of master.cf, and of
// itself; log_native.go those of brood.toml. The wording of those that
// Postfix has too is Postfix's, because other programs read them; what we add
// stands behind it.

// tell logs what a pool has to say.
func (m *Master) tell(s *service, a *pool.Action) {
	if s.plan.Wishes != nil {
		m.tellNative(s, a)
		return
	}
	//exhaustive:enforce
	switch a.Note {
	case pool.NoteDied:
		m.warn(s, fmt.Sprintf("process %s pid %d %s", s.plan.Command.Path, a.PID, ending(a.Code)))
	case pool.NoteStillborn:
		// Logged by tellStillborn, which knows the step that failed.
	case pool.NoteThrottled:
		m.tellThrottled(s, a)
	case pool.NoteReleased:
		m.log.Debug(fmt.Sprintf("service %q: births are allowed again", s.plan.Name), "service", s.plan.Name)
	case pool.NoteLimit:
		canonical := s.plan.Canonical
		if canonical == "" {
			canonical = s.plan.Key
		}
		m.warn(s, fmt.Sprintf("service %q (%s) has reached its process limit %q: new clients may experience noticeable delays",
			s.plan.Name, canonical, strconv.Itoa(int(a.N))))
		m.warn(s, m.limitAdvice())
	case pool.NoteStress:
		m.log.Debug(fmt.Sprintf("service %q: stress begins, children restart", s.plan.Name), "service", s.plan.Name)
	case pool.NoteWrongGeneration:
		m.gossip(s, slog.LevelInfo, fmt.Sprintf("ignoring status update from child pid %d generation %d", a.PID, a.Generation))
	case pool.NoteBadState:
		m.gossip(s, slog.LevelWarn, fmt.Sprintf("service %q: child pid %d sent unknown status %d: ignored", s.plan.Name, a.PID, a.Code))
	case pool.NoteForged:
		m.gossip(s, slog.LevelWarn, fmt.Sprintf("service %q: process %d sent a status update in the name of pid %d: ignored", s.plan.Name, a.Code, a.PID))
	case pool.NoteDeaf:
		m.warn(s, fmt.Sprintf("service %q: process %s pid %d has left its first client waiting for %s: not counting on it any more",
			s.plan.Name, s.plan.Command.Path, a.PID, seconds(a.Age)))
	case pool.NoteStartTimeout, pool.NoteSilent, pool.NoteBusy, pool.NoteGaveUp, pool.NoteRetired,
		pool.NoteReplaced, pool.NoteCeiling:
		// Of policies that master.cf cannot ask for.
	case pool.NoteKilled:
		m.warn(s, fmt.Sprintf("service %q: process %s pid %d ignored SIGTERM for %s: killing it",
			s.plan.Name, s.plan.Command.Path, a.PID, seconds(s.plan.Policy.KillAfter)))
	}
}

// ending is how a child ended, in words.
func ending(code int32) string {
	if code < 0 {
		return "killed by signal " + strconv.Itoa(int(-code))
	}
	return "exit status " + strconv.Itoa(int(code))
}

func seconds(d pool.Duration) string {
	return strconv.FormatFloat(time.Duration(d).Seconds(), 'g', 3, 64) + "s"
}

// limitAdvice is what to do about a limit.
func (m *Master) limitAdvice() string {
	return "to avoid this condition, increase the process count in " + m.opts.LimitFile +
		" or reduce the service time per client"
}

// tellThrottled says why a service is held back and until when. What the child
// said last is looked up outside the loop, so the line may come a moment later
// than the throttle; how long that is is the policy's own figure all the same.
func (m *Master) tellThrottled(s *service, a *pool.Action) {
	line := fmt.Sprintf("%s: bad command startup -- throttling for %s", s.plan.Command.Path, seconds(pool.Duration(a.At-m.at)))
	why := fmt.Sprintf("service %q: the birth failed", s.plan.Name)
	if a.PID != 0 {
		why = fmt.Sprintf("service %q: pid %d %s, age %s, uses %d", s.plan.Name, a.PID, ending(a.Code), seconds(a.Age), a.Uses)
	}
	died := time.Now()
	next := "next try at " + died.Add(time.Duration(a.At-m.now())).Format(time.TimeOnly)
	log := func(words string) {
		if words != "" {
			words = "; last words: " + words
		}
		m.log.Warn(line+" ("+why+words+"; "+next+")", "service", s.plan.Name)
	}
	w := m.known(a.PID)
	if w == nil || m.words == nil && m.opts.LastWords == nil {
		log("")
		return
	}
	words := m.words // of one who has died; who has not may not have said its last
	if words == nil {
		words = m.wordsOf(w)
	}
	m.later.Go(func() { log(strings.Join(words(), " | ")) })
}

// tellStillborn logs a birth that failed and returns its errno.
func (m *Master) tellStillborn(s *service, err error) int32 {
	m.logNotLoaded(s, err)
	errno := unix.EAGAIN
	if start := (*child.StartError)(nil); errors.As(err, &start) {
		errno = start.Err
	} else {
		errors.As(err, &errno)
	}
	return int32(errno)
}

// logNotLoaded says why there is no program in the place of a child.
func (m *Master) logNotLoaded(s *service, err error) {
	m.warn(s, fmt.Sprintf("service %q: cannot start %s: %v", s.plan.Name, s.plan.Command.Path, err))
}

// gossipMost is how many lines about what children claim are logged of one
// service in gossipSpan; the rest is counted.
const (
	gossipMost = 20
	gossipSpan = pool.Duration(60) * pool.Second
)

// gossip logs a line that a child can cause as often as it likes.
func (m *Master) gossip(s *service, level slog.Level, line string) {
	now, g := m.now(), &s.figured().gossip
	if now-g.since > pool.Time(gossipSpan) {
		if g.lost > 0 {
			m.warn(s, fmt.Sprintf("service %q: %d more lines about status updates were not logged", s.plan.Name, g.lost))
		}
		*g = gossip{since: now}
	}
	if g.count++; g.count > gossipMost {
		if g.lost++; g.lost == 1 {
			m.warn(s, fmt.Sprintf("service %q: too many lines about status updates: only counting them for %s", s.plan.Name, seconds(gossipSpan)))
		}
		return
	}
	m.log.Log(context.Background(), level, line, "service", s.plan.Name)
}

func (m *Master) logBadRecord(s *service, sender int32, length int) {
	m.gossip(s, slog.LevelWarn, fmt.Sprintf("service %q: child (pid %d) sent partial, null, or bad status update: %d bytes", s.plan.Name, sender, length))
}

func (m *Master) logStatusShut(s *service) {
	m.gossip(s, slog.LevelWarn, fmt.Sprintf("service %q: a child has shut down the status channel: all its children restart", s.plan.Name))
}

func (m *Master) logListenerShut(s *service) {
	m.gossip(s, slog.LevelWarn, fmt.Sprintf("service %q: a child has shut down the socket that it serves: opening it anew", s.plan.Name))
}

func (m *Master) logReopenFailed(err error) {
	m.log.Error(err.Error())
	m.log.Error("a socket stays closed: mend the above and reload")
}

func (m *Master) warn(s *service, line string) { m.log.Warn(line, "service", s.plan.Name) }

func (m *Master) logReloaded() { m.log.Info("reload -- " + m.opts.Describe) }

func (m *Master) logReloadSlow() {
	m.log.Warn("the configuration is still being read after " + slowReload.String() +
		": a file system or a name server does not answer; what is in force goes on, further reloads wait")
}

// logReloadRefused says what stands in the way of a plan, and that nothing has
// changed.
func (m *Master) logReloadRefused(err error) {
	if ds := plan.Diagnostics(nil); errors.As(err, &ds) {
		m.logDiagnostics(ds)
	} else {
		m.log.Error(err.Error())
	}
	m.log.Error("reload refused: the configuration in force goes on unchanged; mend the above and reload again")
}

func (m *Master) logDiagnostics(ds plan.Diagnostics) {
	for _, d := range ds {
		switch {
		case d.Severity == plan.Error:
			m.log.Error(d.String())
		case d.Postfix != "":
			for line := range strings.Lines(d.Postfix) {
				m.log.Warn(strings.TrimSpace(line))
			}
		default:
			m.log.Warn(d.String())
		}
	}
}

func (m *Master) logSignalFailed(pid int32, sig os.Signal, err error) {
	m.log.Warn(fmt.Sprintf("cannot send %v to process %d: %v", sig, pid, err))
}

func (m *Master) logWakeFailed(s string, err error) {
	m.log.Warn(fmt.Sprintf("service %q: %v", s, err), "service", s)
}

func (m *Master) logWatchFailed(s *service, err error) {
	m.log.Error(fmt.Sprintf("service %q: %v", s.plan.Name, err), "service", s.plan.Name)
}
