package native

import (
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// Plan is the configuration in the words of a plan. It must have loaded without
// an error.
func (c *Config) Plan() *plan.Plan {
	p := &plan.Plan{Source: c.File, Services: make([]*plan.Service, len(c.Services))}
	for i, s := range c.Services {
		p.Services[i] = s.plan()
	}
	for _, ceiling := range c.Ceilings {
		p.Ceilings = append(p.Ceilings, plan.Ceiling{Name: ceiling.Name, Workers: ceiling.Workers})
	}
	if c.Brood.MaxWorkers > 0 {
		p.Ceilings = append(p.Ceilings, plan.Ceiling{Workers: c.Brood.MaxWorkers})
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
		Wishes: s.wishes(),
	}
}

// policy is how the service's pool lives.
func (s *Service) policy() *pool.Policy {
	stream := isStream(s.Listen[0].Network)
	tells := s.Protocol == plan.ProtocolPostfix || s.Protocol == plan.ProtocolInetd
	return &pool.Policy{
		Limit:        s.Workers.Max,
		Min:          s.Workers.Min,
		Spare:        s.Workers.Spare,
		Ramp:         s.Start.Ramp,
		Opaque:       !tells,
		Single:       s.Protocol == plan.ProtocolInetd && stream,
		Ready:        s.Start.Notify,
		StartTimeout: pool.Duration(s.Start.Timeout),
		Wait:         pool.Duration(s.Wait),
		Idle:         pool.Duration(s.Idle),
		MaxUse:       s.MaxUse,
		MaxAge:       pool.Duration(s.MaxAge),
		MaxMemory:    s.MaxMemory,
		Heartbeat:    pool.Duration(s.Heartbeat),
		Busy:         pool.Duration(s.Busy),
		Stress:       s.Stress == StressEnvironment || s.Stress == StressRestart,
		StressKeep:   s.Stress == StressEnvironment,
		Wakeup:       pool.Duration(s.Every),
		WakeupOnUse:  s.EveryOnUse,
		Stop: pool.Stopping{
			Drain:   pool.Duration(s.Stop.Drain),
			Signal:  int32(s.Stop.Signal),
			Timeout: pool.Duration(s.Stop.Timeout),
		},
		Backoff: pool.Backoff{
			First:  pool.Duration(s.Backoff.First),
			Factor: s.Backoff.Factor,
			Max:    pool.Duration(s.Backoff.Max),
			Tries:  s.Backoff.Tries,
		},
	}
}

// wishes is what a service of master.cf could not ask for.
func (s *Service) wishes() *plan.Wishes {
	w := &plan.Wishes{
		FD:        s.FD,
		Essential: s.Essential,
		OnGiveUp:  s.OnGiveUp,
		Ceilings:  s.Ceilings,
		Output:    s.Log.output(),
	}
	for _, l := range s.Listen {
		name := l.Name
		if name == "" {
			name = s.Name
		}
		w.SocketNames = append(w.SocketNames, name)
		w.ListenPos = append(w.ListenPos, l.Pos)
	}
	if a := s.Account; a.UID >= 0 || a.GID >= 0 || a.GIDs != nil {
		w.Account = &plan.Account{UID: a.UID, GID: a.GID, GIDs: a.GIDs}
	}
	for _, l := range s.Limits {
		w.Limits = append(w.Limits, plan.Limit{Resource: l.Resource, Soft: l.Soft, Hard: l.Hard})
	}
	if s.Orphans == OrphansStop {
		w.OrphanSignal = s.Stop.Signal
	}
	return w
}

// output is the same in the plan's words.
func (l *Log) output() plan.Output {
	return plan.Output{To: l.To, JSON: l.Format == "json", Facility: l.Facility, Rate: l.Rate, Keep: l.Keep}
}

// Output is where the daemon's own lines go.
func (b *Brood) Output() plan.Output { return b.Log.output() }

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
