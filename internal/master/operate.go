package master

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

// By is who asked for an operation; the log names it. The zero By is a signal.
type By struct {
	UID, PID int
}

// Scale is what a live change of a pool's size sets; nil leaves a number as it
// is.
type Scale struct {
	Max, Min, Spare *int
}

// The kinds of error of an operation, for errors.Is. Everything else that stands
// in the way is plan.Diagnostics, or the end of the context.
var (
	// ErrUnknown: no service has that name.
	ErrUnknown = errors.New("unknown service")
	// ErrAmbiguous: several have it; the text names the choices.
	ErrAmbiguous = errors.New("ambiguous service")
	// ErrRefused: not now, or not with this service; the text says why.
	ErrRefused = errors.New("refused")
)

// opError is an error of one of the kinds above, in words of its own.
type opError struct {
	kind error
	text string
}

func (e *opError) Error() string { return e.text }

// Unwrap is the kind.
func (e *opError) Unwrap() error { return e.kind }

func refuse(kind error, format string, args ...any) error {
	return &opError{kind, fmt.Sprintf(format, args...)}
}

// errLeaving is the answer to whoever wants to change what is being ended.
var errLeaving = refuse(ErrRefused, "cannot do that: brood is being stopped")

// leaving tells whether everything is being ended.
func (m *Master) leaving() bool { return m.closing != nil || m.exodus != nil }

// Plan tells what a reload would do, and does nothing. With a service, only what
// is written of that one counts. An error of type plan.Diagnostics says why a
// reload would be refused.
func (m *Master) Plan(ctx context.Context, service string) (*scoreboard.Outcome, error) {
	return m.read(ctx, &reading{service: service, dry: true})
}

// Reload reads the configuration and puts it in force, as a HUP does, and tells
// what that did. With a service, only what is written of that one is put in
// force. After an error nothing has changed; one of type plan.Diagnostics says
// where the operator has to mend what.
func (m *Master) Reload(ctx context.Context, by By, service string) (*scoreboard.Outcome, error) {
	return m.read(ctx, &reading{by: by, service: service})
}

// Restart has all workers of a service be replaced, each when it is free, as a
// new plan would; with no name, those of all services.
func (m *Master) Restart(ctx context.Context, by By, name string) error {
	return m.on(ctx, by, "restart", name, func(s *service) error {
		if err := s.mustServe(); err != nil {
			return err
		}
		if s.pool != nil {
			s.gaveUp = false
			m.step(s, pool.Event{Kind: pool.Replanned, Policy: s.policy()})
		}
		return nil
	})
}

// Scale changes the size of a pool until the next reload. Workers above a lower
// maximum leave when they are free, those of Postfix when they would in any case.
func (m *Master) Scale(ctx context.Context, by By, name string, to Scale) error {
	return m.on(ctx, by, "scale", name, func(s *service) error { return m.scale(s, to) })
}

func (m *Master) scale(s *service, to Scale) error {
	p := *s.policy()
	for _, set := range []struct{ to, number *int }{{to.Max, &p.Limit}, {to.Min, &p.Min}, {to.Spare, &p.Spare}} {
		if set.to != nil {
			*set.number = *set.to
		}
	}
	if err := s.maySize(to, &p); err != nil {
		return err
	}
	s.scaled = &p
	m.note(s, event{kind: eventScaled, at: m.now(), n: int32(p.Limit)})
	switch {
	case s.pool != nil:
		m.step(s, pool.Event{Kind: pool.Adjusted, Policy: &p})
	case !s.missing && !s.drained:
		m.begin(s)
	}
	return nil
}

// Sizes beyond which a number can only be a slip.
const workersMost = 100_000

// maySize tells whether a pool of a service may have the size of a policy.
func (s *service) maySize(to Scale, p *pool.Policy) error {
	name := s.plan.Name
	switch {
	case to == Scale{}:
		return refuse(ErrRefused, "cannot scale service %q: no size is given; write max, min or spare", name)
	case p.Limit < 1 || p.Limit > workersMost:
		return refuse(ErrRefused, "cannot scale service %q: max is %d; write 1 to %d", name, p.Limit, workersMost)
	case p.Min < 0 || p.Spare < 0 || p.Min > p.Limit || p.Spare > p.Limit:
		return refuse(ErrRefused, "cannot scale service %q: min is %d and spare %d; write 0 to %d, which is max", name, p.Min, p.Spare, p.Limit)
	case p.Single && (p.Min > 0 || p.Spare > 0):
		return refuse(ErrRefused, "cannot scale service %q: its workers are born for one client each; set max alone", name)
	case s.plan.Wishes != nil:
		return nil
	case p.Min > 0 || p.Spare > 0:
		return refuse(ErrRefused, "cannot scale service %q: Postfix has neither min nor spare; set max alone", name)
	case s.plan.Policy.Limit < 2:
		// Its program is told, by -l or -z, that the limit is one or none, and
		// some of them rely on it.
		return refuse(ErrRefused, "cannot scale service %q: its program relies on the process limit of %d; change it in %s",
			name, s.plan.Policy.Limit, s.plan.Pos)
	}
	return nil
}

// Pause holds back births until Resume, also over reloads; workers that live go
// on, and clients for whom there is none queue. With no name, it is for all
// services.
func (m *Master) Pause(ctx context.Context, by By, name string) error {
	return m.on(ctx, by, "pause", name, func(s *service) error {
		if s.drained {
			return refuse(ErrRefused, "cannot pause service %q: it is drained already", s.plan.Name)
		}
		if s.pool == nil && !s.missing {
			m.life(s)
		}
		s.paused = true
		if s.pool != nil {
			m.step(s, pool.Event{Kind: pool.Paused})
		}
		return nil
	})
}

// Resume ends what Pause or Drain has begun; with no name, of all services.
func (m *Master) Resume(ctx context.Context, by By, name string) error {
	return m.on(ctx, by, "resume", name, func(s *service) error {
		if s.paused {
			s.paused = false
			if s.pool != nil {
				m.step(s, pool.Event{Kind: pool.Resumed})
			}
		}
		if s.drained {
			s = m.undrain(s)
			if !s.missing {
				m.begin(s)
			}
		}
		return nil
	})
}

// Wake wakes a service up as its own timer would, and returns when it has been;
// with no name, all that have a timer.
func (m *Master) Wake(ctx context.Context, by By, name string) error {
	var wake []func() error
	err := m.on(ctx, by, "wake", name, func(s *service) error {
		if err := s.mustServe(); err != nil {
			return err
		}
		if name != "" || s.plan.Policy.Wakeup > 0 {
			s.figured().counts.Wakeups++
			wake = append(wake, m.waker(s))
		}
		return nil
	})
	for _, w := range wake {
		err = errors.Join(err, w())
	}
	return err
}

// mustServe refuses what makes no sense with a service that serves nobody.
func (s *service) mustServe() error {
	switch {
	case s.drained:
		return refuse(ErrRefused, "service %q is drained; resume it first", s.plan.Name)
	case s.missing, s.shut:
		return refuse(ErrRefused, "service %q does not listen; reset tries again", s.plan.Name)
	}
	return nil
}

// Reset ends a throttle before its time, has a service that gave up try again, and
// has one that could not listen try now; with no name, all of them. An error of type plan.Diagnostics says
// why it still cannot.
func (m *Master) Reset(ctx context.Context, by By, name string) error {
	return m.on(ctx, by, "reset", name, func(s *service) error {
		if s.missing || s.shut {
			if err := m.listenNow(s); err != nil {
				return err
			}
		}
		s.gaveUp = false
		if s.pool != nil {
			m.step(s, pool.Event{Kind: pool.Pardoned})
		}
		return nil
	})
}

// listenNow opens the sockets of a service that has none.
func (m *Master) listenNow(s *service) error {
	missing, shut := s.missing, s.shut
	s.missing, s.shut = false, false
	if errs := m.openAgain(); len(errs) > 0 {
		s.missing, s.shut = missing, shut
		return m.placed(m.plan, errs)
	}
	m.keepListening(s)
	if missing {
		m.found(s)
	}
	return nil
}

// Stop ends the daemon as a TERM does; with now, as a second one.
func (m *Master) Stop(ctx context.Context, by By, now bool) error {
	return m.Call(ctx, func() {
		m.logAsked(by, "stop", "")
		switch {
		case !m.opts.Gentle:
			m.ended = unix.SIGTERM
		case m.closing == nil:
			m.farewell(unix.SIGTERM, m.opts.Drain)
		}
		if now && m.ended == nil {
			m.hurry(unix.SIGTERM)
		}
	})
}

// on has an operation be done in the loop, on the service that is meant; without a
// name on every one of which it can be asked.
func (m *Master) on(ctx context.Context, by By, what, name string, do func(*service) error) error {
	var err error
	if e := m.Call(ctx, func() {
		if m.leaving() {
			err = errLeaving
			return
		}
		if err = m.onOneOrAll(name, do); err == nil {
			m.logAsked(by, what, name)
		}
	}); e != nil {
		return e
	}
	return err
}

func (m *Master) onOneOrAll(name string, do func(*service) error) error {
	if name != "" {
		p, err := one(m.plan.Services, name)
		if err != nil {
			return err
		}
		return do(m.services[p.Key])
	}
	var all plan.Diagnostics
	for _, p := range m.plan.Services {
		err := do(m.services[p.Key])
		if ds := plan.Diagnostics(nil); errors.As(err, &ds) {
			all = append(all, ds...)
		} else if err != nil && !errors.Is(err, ErrRefused) {
			return err
		}
	}
	if len(all) > 0 {
		return all
	}
	return nil
}

// choicesMost is how many services an error names.
const choicesMost = 12

// one finds the service that is meant by a name, by NAME/TYPE as master.cf has
// both, or by a key.
func one(list []*plan.Service, name string) (*plan.Service, error) {
	var found []*plan.Service
	for _, s := range list {
		if meansAlone(name, s) {
			return s, nil
		}
		if s.Name == name {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 0:
		return nil, unknownService(name, list)
	case 1:
		return found[0], nil
	}
	return nil, refuse(ErrAmbiguous, "several services are called %q; write one of %s", name, choices(found, withType))
}

// unknownService is the answer to a name that no service has. Often it is that of
// a program, such as smtpd: then it names the services that run it.
func unknownService(name string, list []*plan.Service) error {
	nameOf := func(s *plan.Service) string { return s.Name }
	var run []*plan.Service
	for _, s := range list {
		if path.Base(s.Command.Path) == name {
			run = append(run, s)
		}
	}
	if len(run) > 0 {
		return refuse(ErrUnknown, "there is no service %q; that program is run by %s", name, choices(run, nameOf))
	}
	return refuse(ErrUnknown, "there is no service %q; there are %s", name, choices(list, nameOf))
}

// unknown is unknownService for those who are not in the loop.
func (m *Master) unknown(ctx context.Context, name string) error {
	var err error
	if over := m.Call(ctx, func() { err = unknownService(name, m.plan.Services) }); over != nil {
		return over
	}
	return err
}

// transportWords are the types of master.cf.
var transportWords = map[plan.Transport]string{
	plan.Inet: "inet", plan.Unix: "unix", plan.Fifo: "fifo", plan.UnixDgram: "unix-dgram", plan.Pass: "pass",
}

// withType tells services of master.cf apart that have one name.
func withType(s *plan.Service) string { return s.Name + "/" + transportWords[s.Transport] }

// meansAlone tells whether a name, as an operator gives it, can mean no other
// service: it is the key, or has the type as well.
func meansAlone(name string, s *plan.Service) bool {
	kind, typed := strings.CutPrefix(name, s.Name+"/")
	return name == s.Key || typed && kind != "" && kind == transportWords[s.Transport]
}

func choices(list []*plan.Service, nameOf func(*plan.Service) string) string {
	if len(list) == 0 {
		return "none"
	}
	var names []string
	for _, s := range list {
		if name := nameOf(s); !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) > choicesMost {
			names[choicesMost] = "others"
			break
		}
	}
	return strings.Join(names, ", ")
}
