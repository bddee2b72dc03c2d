package plan

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
