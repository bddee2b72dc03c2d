package plan

import "slices"

// Change is what a new plan means for one service. Old is nil for a service
// that is new, New is nil for one that is gone.
type Change struct {
	Old, New *Service
}

// Diff compares two plans, service by service: first those of the old plan in
// their order, kept or gone, then those that are new in theirs. It takes time
// in proportion to the number of services.
func Diff(old, next *Plan) []Change {
	byKey := make(map[string]*Service, len(next.Services))
	for _, s := range next.Services {
		byKey[s.Key] = s
	}
	changes := make([]Change, 0, max(len(old.Services), len(next.Services)))
	for _, s := range old.Services {
		changes = append(changes, Change{Old: s, New: byKey[s.Key]})
		delete(byKey, s.Key)
	}
	for _, s := range next.Services {
		if byKey[s.Key] != nil {
			changes = append(changes, Change{New: s})
		}
	}
	return changes
}

// Endpoints are the endpoints of all services, in order.
func (p *Plan) Endpoints() []Endpoint {
	all := make([]Endpoint, 0, len(p.Services))
	for _, s := range p.Services {
		all = append(all, s.Endpoints...)
	}
	return all
}

// Same tells whether two plans of a service say the same, wherever in the files
// they do. It is Explain's answer without the words, for little.
func Same(a, b *Service) bool {
	if a == b {
		return true
	}
	return a.Name == b.Name && a.Key == b.Key && a.Canonical == b.Canonical &&
		a.Transport == b.Transport && a.Protocol == b.Protocol && *a.Policy == *b.Policy &&
		slices.Equal(a.Endpoints, b.Endpoints) && sameCommand(&a.Command, &b.Command) && sameWishes(a.Wishes, b.Wishes)
}

func sameCommand(a, b *Command) bool {
	return a.Path == b.Path && a.Dir == b.Dir && a.Umask == b.Umask && a.IgnoreSIGPIPE == b.IgnoreSIGPIPE &&
		slices.Equal(a.Args, b.Args) && slices.Equal(a.StressArgs, b.StressArgs) && slices.Equal(a.Env, b.Env)
}

func sameWishes(a, b *Wishes) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.FD == b.FD && a.OrphanSignal == b.OrphanSignal && a.Essential == b.Essential && a.OnGiveUp == b.OnGiveUp &&
		a.Output == b.Output && sameAccount(a.Account, b.Account) && slices.Equal(a.SocketNames, b.SocketNames) &&
		slices.Equal(a.Limits, b.Limits) && slices.Equal(a.Ceilings, b.Ceilings)
}

func sameAccount(a, b *Account) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.UID == b.UID && a.GID == b.GID && (a.GIDs == nil) == (b.GIDs == nil) && slices.Equal(a.GIDs, b.GIDs)
}
