package master

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strconv"
	"time"
	"weak"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/scoreboard"
)

// complete adds to a picture what the loop need not be asked for: what is
// written in the plan, and what only the kernel knows. A plan is not changed any
// more once it is in force.
func (m *Master) complete(ctx context.Context, d *drawing) {
	for i, p := range d.plans {
		sv := &d.picture.Services[i]
		describe(sv, p)
		slices.SortFunc(sv.Workers, func(a, b scoreboard.Worker) int {
			return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.Generation, b.Generation))
		})
	}
	m.countQueues(d)
	if d.what.Memory {
		measureAll(ctx, d.picture)
	} else {
		for i := range d.picture.Services {
			d.picture.Services[i].CPU = 0 // that of the dead alone would mislead
		}
	}
	if !d.what.Workers {
		for i := range d.picture.Services {
			d.picture.Services[i].Workers = nil
		}
	}
}

// describe says what is written of a service.
func describe(sv *scoreboard.Service, p *plan.Service) {
	sv.Name, sv.Key, sv.File, sv.Line = p.Name, p.Key, p.Pos.File, p.Pos.Line
	// What is executed, not what it is told that it is called.
	sv.Protocol, sv.Command, sv.Directory = p.Protocol.String(), []string{p.Command.Path}, p.Command.Dir
	if len(p.Command.Args) > 1 {
		sv.Command = append(sv.Command, p.Command.Args[1:]...)
	}
	for i := range sv.Listen {
		sv.Listen[i].Address = p.Endpoints[i].String()
	}
	w := p.Wishes
	if w == nil {
		if chroots(p.Command.Args) {
			sv.Chroot = p.Command.Dir
		}
		return
	}
	sv.Essential = w.Essential
	if w.OnGiveUp != 0 {
		sv.OnGiveUp = w.OnGiveUp.String()
	}
	if w.Account != nil {
		sv.User = accountName(w.Account)
	}
}

// chroots tells that a daemon of Postfix makes its working directory its root:
// -c among the options that the master itself gives, which are before the first
// -o or -s.
func chroots(args []string) bool {
	for _, arg := range args {
		switch arg {
		case "-c":
			return true
		case "-o", "-s":
			return false
		}
	}
	return false
}

// accountName is whom workers run as, by number: names are the configuration's.
func accountName(a *plan.Account) string {
	if a.UID < 0 {
		return ""
	}
	return strconv.Itoa(a.UID)
}

// countQueues fills in how many clients wait, and for how long.
func (m *Master) countQueues(d *drawing) {
	if m.survey != nil && len(d.queues) > 0 {
		// What could not be counted is 0.
		_ = m.survey.Look(d.queues)
	}
	ages := make([]int64, len(d.plans))
	for n, at := range d.places {
		q := &d.queues[n]
		address := &d.picture.Services[at.service].Listen[at.address]
		address.Queue, address.QueueMax = q.Waiting, q.Max
		ages[at.service] = max(ages[at.service], int64(q.Age))
	}
	for i := range d.picture.Services {
		sv := &d.picture.Services[i]
		for _, a := range sv.Listen {
			sv.Queue += a.Queue
		}
		if sv.Queue == 0 {
			sv.QueueAge = 0
			continue
		}
		sv.QueueAge = max(sv.QueueAge, ages[i])
	}
}

// keepPicture remembers the last picture for as long as the memory is not needed:
// it may be larger than all else.
func (m *Master) keepPicture(p *scoreboard.Picture) {
	last := weak.Make(p)
	m.drawn.Store(&last)
}

// stale is what can be said while the loop does not answer: the last picture, or
// that there is none.
func (m *Master) stale(what *PictureOptions) *scoreboard.Picture {
	p := &scoreboard.Picture{PID: int32(os.Getpid()), Version: m.opts.Version, At: time.Now().UnixNano()}
	if last := m.drawn.Load(); last != nil {
		if old := last.Value(); old != nil {
			*p = *old
		}
	}
	if what.Service != "" {
		p.Services = slices.Clone(p.Services)
		p.Services = slices.DeleteFunc(p.Services, func(sv scoreboard.Service) bool {
			return sv.Name != what.Service && sv.Key != what.Service
		})
	}
	since := m.busySince.Load()
	p.Stale = max(1, int64(m.now())-since)
	if since == 0 {
		p.Stale = int64(drawMost) // it waits for the processor
	}
	return p
}
