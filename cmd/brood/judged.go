package main

import "github.com/brood-project/brood/internal/scoreboard"

// judged is a picture as status --json has it: what the daemon answers, and what
// the table shows beside it, which the daemon leaves to its readers.
type judged struct {
	Health scoreboard.Health `json:"health"`
	*scoreboard.Picture
	Services []judgedService `json:"services"`
}

type judgedService struct {
	State  scoreboard.State  `json:"state"`
	Health scoreboard.Health `json:"health"`
	// Reason is why it is not ready; absent if it is.
	Reason string `json:"reason,omitempty"`
	*scoreboard.Service
}

func judge(p *scoreboard.Picture) judged {
	health, _ := p.Health()
	j := judged{Health: health, Picture: p, Services: make([]judgedService, len(p.Services))}
	for i := range p.Services {
		s := &p.Services[i]
		health, _ := s.Health(p)
		j.Services[i] = judgedService{State: s.State(p), Health: health, Service: s}
		if health != scoreboard.Ready {
			j.Services[i].Reason = s.Reason(p)
		}
	}
	return j
}
