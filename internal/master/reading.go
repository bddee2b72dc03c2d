package master

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/scoreboard"
)

// slowReload is after how long it is told that a plan is still being read: a
// name server or a file system may not answer, and further reloads wait.
const slowReload = 10 * time.Second

// reading is one request that the plan be read anew. One at a time is carried
// out, in the order in which they come, so that nothing changes the plan in force
// while another is compared with it.
type reading struct {
	ctx context.Context
	by  By
	// service is the only one that counts; "" for all.
	service string
	// dry: nothing is put in force.
	dry bool
	// answer takes the outcome; nil when a signal has asked.
	answer chan<- answer
}

// answer is what became of a reading.
type answer struct {
	outcome *scoreboard.Outcome
	err     error
}

// tell answers whoever has asked.
func (r *reading) tell(outcome *scoreboard.Outcome, err error) {
	if r.answer != nil {
		r.answer <- answer{outcome, err}
	}
}

// proposed is the outcome of reading a plan.
type proposed struct {
	proposal *Proposal
	// next is what is to be in force: the plan of the proposal, or the one in
	// force with one service of it exchanged.
	next    *plan.Plan
	outcome *scoreboard.Outcome
	err     error
}

// reload is what a HUP asks for. One that comes while another has still to be
// carried out is the same.
func (m *Master) reload() {
	waiting := func(r *reading) bool { return r.answer == nil }
	if !m.leaving() && !slices.ContainsFunc(m.readings, waiting) {
		m.enterReading(&reading{ctx: context.Background()})
	}
}

// read has the plan read for an operation, and returns what becomes of it. When
// ctx ends before the plan is in force, it will not be.
func (m *Master) read(ctx context.Context, r *reading) (*scoreboard.Outcome, error) {
	answers := make(chan answer, 1)
	r.ctx, r.answer = ctx, answers
	if err := m.Call(ctx, func() { m.enterReading(r) }); err != nil {
		return nil, err
	}
	select {
	case a := <-answers:
		return a.outcome, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.over:
		return nil, ErrOver
	}
}

func (m *Master) enterReading(r *reading) {
	m.readings = append(m.readings, r)
	m.readNext()
}

// readNext has the next plan read, outside the loop.
func (m *Master) readNext() {
	for m.reading == nil && len(m.readings) > 0 {
		r := m.readings[0]
		m.readings = slices.Delete(m.readings, 0, 1)
		if err := m.mayGoOn(r); err != nil {
			r.tell(nil, err)
			continue
		}
		m.reading = r
		slow := time.AfterFunc(slowReload, m.logReloadSlow)
		c := comparison{plan: m.plan, drain: m.opts.Drain}
		go func() {
			defer slow.Stop()
			m.proposed <- c.propose(r, m.opts.Reload)
		}()
	}
}

// mayGoOn tells whether a reading is still wanted.
func (m *Master) mayGoOn(r *reading) error {
	if m.leaving() {
		return errLeaving
	}
	return r.ctx.Err()
}

// consider puts a plan into force, or leaves everything as it is.
func (m *Master) consider(p proposed) {
	r := m.reading
	m.reading = nil
	defer m.readNext()
	if err := m.mayGoOn(r); err != nil {
		r.tell(nil, err)
		return
	}
	if r.dry {
		r.tell(p.outcome, m.rehearse(&p))
		return
	}
	r.tell(p.outcome, m.carryOut(r, &p))
}

// carryOut is the whole of a reload, once its plan was read.
func (m *Master) carryOut(r *reading, p *proposed) error {
	if r.answer != nil {
		m.logAsked(r.by, "reload", r.service)
	}
	if errors.Is(p.err, ErrUnknown) || errors.Is(p.err, ErrAmbiguous) {
		return p.err // the request is wrong, and not the configuration
	}
	err := p.err
	var missing map[string]error
	if err == nil {
		m.logDiagnostics(p.proposal.Warnings)
		missing, err = m.adopt(p.next)
	}
	m.noteReload(r, p, err)
	if err != nil {
		m.logReloadRefused(err)
		return err
	}
	for _, s := range p.next.Services {
		if why := missing[s.Key]; why != nil {
			p.outcome.Warnings = append(p.outcome.Warnings, diagnosticsOf(m.placed(p.next, []error{why}), false)...)
		}
	}
	if r.service == "" {
		m.opts.Drain = p.proposal.Drain
		if p.proposal.Accepted != nil {
			p.proposal.Accepted()
		}
	}
	m.logReloaded()
	p.outcome.Throttled = m.throttled(p.next)
	return nil
}

// throttled names the services of a plan whose births are held back.
func (m *Master) throttled(p *plan.Plan) (names []string) {
	for _, ps := range p.Services {
		if s := m.services[ps.Key]; s != nil && s.pool != nil && s.pool.Throttled() {
			names = append(names, ps.Name)
		}
	}
	return names
}

// noteReload keeps how the last reload went, for whoever asks later.
func (m *Master) noteReload(r *reading, p *proposed, err error) {
	m.reloaded = &scoreboard.Reload{At: time.Now().UnixNano()}
	ev := m.asked(r.service)
	ev.kind = eventReload
	if err == nil {
		ev.text = "a new configuration is in force: " + summary(p.outcome)
		m.journal.add(ev)
		return
	}
	for _, d := range DiagnosticsOf(err) {
		m.reloaded.Refused = append(m.reloaded.Refused, d.Text)
	}
	ev.kind = eventRefused
	ev.text = "a reload was refused, nothing has changed: " + m.reloaded.Refused[0]
	m.journal.add(ev)
}

// rehearse finds out what only trying shows, and changes nothing.
func (m *Master) rehearse(p *proposed) error {
	if p.err != nil {
		return p.err
	}
	errs := m.sockets.Try(p.next.Endpoints())
	if len(errs) == 0 {
		return nil
	}
	missing := map[string]error{}
	if !m.spare(p.next, errs, missing) {
		return m.placed(p.next, errs)
	}
	p.outcome.Warnings = append(p.outcome.Warnings, diagnosticsOf(m.placed(p.next, errs), false)...)
	return nil
}
