package native

import (
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// Plan is the part of the configuration that a plan can hold, in the plan's
// words. What it cannot hold yet stays in the Services alone. The configuration
// must have loaded without an error.
func (c *Config) Plan() *plan.Plan {
	p := &plan.Plan{Source: c.File, Services: make([]*plan.Service, len(c.Services))}
	for i, s := range c.Services {
		p.Services[i] = s.plan()
	}
	return p
}

func (s *Service) plan() *plan.Service {
	endpoints := make([]plan.Endpoint, len(s.Listen))
	for i, l := range s.Listen {
		endpoints[i] = l.Endpoint
	}
	return &plan.Service{
		Name:      s.Name,
		Key:       s.Name,
		Pos:       s.Pos,
		Transport: transportOf(endpoints[0].Network),
		Endpoints: endpoints,
		Protocol:  s.Protocol,
		Command: plan.Command{
			Path:  s.Program,
			Args:  s.Command,
			Env:   s.Env,
			Dir:   s.Directory,
			Umask: int(s.Umask),
		},
		Policy: s.policy(),
	}
}

// policy is what the pool knows of today.
func (s *Service) policy() pool.Policy {
	return pool.Policy{
		Limit:       s.Workers.Max,
		Throttle:    pool.Duration(s.Backoff.First),
		Stress:      s.Stress == StressRestart,
		Wakeup:      pool.Duration(s.Every),
		WakeupOnUse: s.EveryOnUse,
		KillAfter:   pool.Duration(s.Stop.Timeout),
		Patience:    pool.Duration(s.Start.Timeout),
		Ramp:        s.Start.Ramp,
	}
}

// transportOf is the transport of a network, in master.cf's words.
func transportOf(n plan.Network) plan.Transport {
	switch n { //exhaustive:enforce
	case plan.NetTCP:
		return plan.Inet
	case plan.NetUDP:
		return plan.UDP
	case plan.NetUnix:
		return plan.Unix
	case plan.NetUnixgram:
		return plan.UnixDgram
	case plan.NetFifo:
		return plan.Fifo
	case plan.NetVsock:
		return plan.Vsock
	}
	panic("native: an endpoint of no known network")
}
