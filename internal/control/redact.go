package control

import (
	"slices"

	"github.com/brood-project/brood/internal/scoreboard"
)

// hidden stands where a reader may know that there is something, not what.
const hidden = scoreboard.Hidden

// Redact returns a copy of a picture for readers whose role is below Operate:
// without what programs write (last words, the status of a worker, the place
// where one hung), which may hold what their clients sent; without arguments of
// commands, which may hold passwords; without the lines that a reload was
// refused for, which may quote a file that they cannot read. The original is
// not touched.
func Redact(p *scoreboard.Picture) *scoreboard.Picture {
	shown := *p
	if p.Reload != nil && p.Reload.Refused != nil {
		shown.Reload = &scoreboard.Reload{At: p.Reload.At, Refused: []string{hidden}}
	}
	shown.Services = slices.Clone(p.Services)
	for i := range shown.Services {
		redactService(&shown.Services[i])
	}
	return &shown
}

func redactService(s *scoreboard.Service) {
	if len(s.Command) > 1 {
		s.Command = []string{s.Command[0], hidden}
	}
	s.Failure, s.Death = redactDeath(s.Failure), redactDeath(s.Death)
	s.Workers = slices.Clone(s.Workers)
	for i := range s.Workers {
		if s.Workers[i].Status != "" {
			s.Workers[i].Status = hidden
		}
	}
}

func redactDeath(d *scoreboard.Death) *scoreboard.Death {
	if d == nil {
		return nil
	}
	shown := *d
	if len(d.Words) > 0 {
		shown.Words = []string{hidden}
	}
	if d.Place != "" {
		shown.Place = hidden
	}
	return &shown
}
