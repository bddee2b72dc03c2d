package native

import (
	"slices"
	"strings"

	"github.com/brood-project/brood/internal/plan"
)

// checkSettings reports what does not go together within one service.
func (l *loader) checkSettings(set layered, s *settled) {
	if p := set.find("protocol"); p != nil && !p.failed {
		l.checkProtocol(set, s.service)
		l.checkDescriptors(set, s)
	}
	l.checkPool(set, s.service)
	l.checkBackoff(set, s.service)
	l.checkLog(set, s.service)
	l.checkLimits(set, s.service)
}

// checkProtocol reports keys that mean nothing to the service's protocol.
func (l *loader) checkProtocol(set layered, svc *Service) {
	for _, settings := range [][]setting{set.own, set.base} {
		for _, s := range settings {
			if s.key.appliesTo(svc.Protocol) || s.failed {
				continue
			}
			if s.key.zero != "" && s.value.num == 0 || s.key.name == "workers.min" && s.value.num == 0 || s.key.name == "workers.spare" && s.value.num == 0 {
				continue
			}
			l.report.errorf(s.at, "%s means nothing with the protocol %s: %s", s.key.name, protocolName(svc.Protocol), s.key.only.why).
				instead("leave it out; it works with %s", protocolList(s.key.only.protocols))
		}
	}
}

// checkDescriptors holds the sockets of the protocol none off the worker's
// output.
func (l *loader) checkDescriptors(set layered, s *settled) {
	if s.service.Protocol != plan.ProtocolNone {
		return
	}
	first, count := s.service.FD, len(s.fresh.listen)
	if last := first + count - 1; count > 0 && first <= 2 && last >= 1 {
		l.report.errorf(set.at("fd"), "with fd = %d a socket would be descriptor %d, and 1 and 2 are the worker's output", first, max(first, 1)).
			instead("write fd = 3")
	}
}

func (l *loader) checkPool(set layered, svc *Service) {
	w := svc.Workers
	for _, lower := range []struct {
		name  string
		count int
	}{{"workers.min", w.Min}, {"workers.spare", w.Spare}} {
		if lower.count > w.Max && !failedAt(set, "workers.max") {
			l.report.errorf(set.at(lower.name), "%s = %d is above workers.max = %d", lower.name, lower.count, w.Max).
				instead("write %s up to %d, or a larger max", lastPart(lower.name), w.Max)
		}
	}
}

func failedAt(set layered, name string) bool {
	s := set.find(name)
	return s != nil && s.failed
}

func (l *loader) checkBackoff(set layered, svc *Service) {
	b := svc.Backoff
	if b.First > b.Max && !failedAt(set, "backoff.max") {
		l.report.errorf(set.at("backoff.first"), "backoff.first = %s is longer than backoff.max = %s", formatDuration(b.First), formatDuration(b.Max)).
			instead("write a larger max, or a shorter first")
	}
	l.settleGiveUp(set, svc)
}

// usualTries is after how many failures in a row a service gives up that says
// only what follows.
const usualTries = 10

// settleGiveUp has each of backoff.tries and on_give_up mean something without
// the other, and finds them at odds.
func (l *loader) settleGiveUp(set layered, svc *Service) {
	tries, follows := set.find("backoff.tries"), set.find("on_give_up")
	if tries != nil && tries.failed || follows != nil && follows.failed {
		return
	}
	tried, retries := svc.Backoff.Tries, svc.OnGiveUp == plan.GiveUpRetry
	switch {
	case follows == nil && tried > 0:
		svc.OnGiveUp = plan.GiveUpHold
	case follows == nil:
	case retries && tried > 0:
		l.report.errorf(follows.at, "on_give_up = \"retry\" never gives up, and backoff.tries = %d does", tried).
			instead("leave one of the two out")
	case !retries && tries == nil:
		svc.Backoff.Tries = usualTries
	case !retries && tried == 0:
		l.report.errorf(follows.at, "on_give_up has no effect: brood never gives up, because backoff.tries is unlimited").
			instead("write backoff = { tries = 10 }, or leave tries out")
	}
}

func (l *loader) checkLog(set layered, svc *Service) {
	s := set.find("log.facility")
	if s != nil && !s.failed && svc.Log.To != plan.OutputSyslog && svc.Log.To != plan.OutputJournal {
		l.report.warnf(s.at, "log.facility has no effect with log.to = %s", quoted(svc.Log.To)).
			instead("leave it out, or write to = \"syslog\"")
	}
	if strings.HasPrefix(svc.Log.To, "/") && strings.HasSuffix(svc.Log.To, "/") {
		l.report.errorf(set.at("log.to"), "%s is a directory", quoted(svc.Log.To)).instead("write the path of a file, such as %s", quoted(svc.Log.To+svc.Name+".log"))
	}
}

func (l *loader) checkCeilings(s *settled) {
	seen := make(map[string]bool)
	for _, w := range s.fresh.ceilings {
		switch {
		case seen[w.text]:
			l.report.errorf(w.at, "ceiling %s is listed twice", quoted(w.text)).instead("leave one out")
		case l.ceilings[w.text] == nil:
			names := make([]string, len(l.cfg.Ceilings))
			for i, c := range l.cfg.Ceilings {
				names[i] = c.Name
			}
			a := l.report.errorf(w.at, "there is no ceiling %s", quoted(w.text))
			if near := l.report.closest(w.text, names); near != "" {
				a.instead("write %s", quoted(near))
			} else {
				a.instead("write the table [ceiling.%s] with workers = 2, or how many there may be", w.text)
			}
		}
		seen[w.text] = true
	}
}

// checkEndpoints reports addresses that the protocol cannot serve.
func (l *loader) checkEndpoints(set layered, svc *Service) {
	streams := 0
	for _, a := range svc.Listen {
		if isStream(a.Network) {
			streams++
		}
	}
	l.checkWakeUps(set, svc)
	switch svc.Protocol {
	case plan.ProtocolFastCGI:
		if len(svc.Listen) > 1 {
			l.report.errorf(svc.Listen[1].at, "a fastcgi worker has one socket, descriptor 0, and this is a second").instead("make a second service")
		}
		if len(svc.Listen) > 0 && streams == 0 {
			l.report.errorf(svc.Listen[0].at, "fastcgi is spoken over streams, and this address has none").instead("write a tcp:// or unix:// address")
		}
	case plan.ProtocolInetd:
		l.checkInetd(set, svc)
	}
}

// checkWakeUps reports a first address that a wake-up cannot be sent to.
func (l *loader) checkWakeUps(set layered, svc *Service) {
	if svc.Every <= 0 || len(svc.Listen) == 0 {
		return
	}
	switch first := svc.Listen[0]; first.Network {
	case plan.NetTCP, plan.NetUnix, plan.NetFifo:
	case plan.NetUDP, plan.NetUnixgram, plan.NetVsock:
		l.report.errorf(set.at("every"), "every connects to the first address, and that is not possible with %s", first.Written).
			instead("write a tcp, unix or fifo address first, or leave every out")
	}
}

// checkInetd allows streams, where each client gets a worker, or one datagram
// socket, which one worker holds at a time.
func (l *loader) checkInetd(set layered, svc *Service) {
	for _, a := range svc.Listen {
		switch {
		case a.Network == plan.NetFifo:
			l.report.errorf(a.at, "inetd has connections or datagrams, and a fifo has neither").instead("write protocol = \"none\"")
		case !isStream(a.Network) && len(svc.Listen) > 1:
			l.report.errorf(a.at, "an inetd service with datagrams has one address").instead("make a service of its own for it")
		case !isStream(a.Network) && set.find("workers.max") == nil:
			svc.Workers.Max = 1
		case !isStream(a.Network) && svc.Workers.Max > 1:
			l.report.errorf(set.at("workers.max"), "an inetd worker with datagrams holds the socket alone, so there is one, not %d", svc.Workers.Max).
				instead("write max = 1, or protocol = \"none\"")
		}
	}
}

// bound is what is known across services: who listens where, and how many
// workers live always.
type bound struct {
	at     map[place]Listen
	floors map[string]int
	all    int
	tables map[string]*node
}

// place is what only one service can have. For IP it is one address and port,
// for files the path.
type place struct {
	kind string
	addr string
	port uint32
}

func (b *bound) ceiling(c *Ceiling, n *node) {
	if b.tables == nil {
		b.tables = make(map[string]*node)
	}
	b.tables[c.Name] = n
}

// service claims the addresses and the floor of a service.
func (b *bound) service(l *loader, set layered, svc *Service) {
	if b.at == nil {
		b.at, b.floors = make(map[place]Listen), make(map[string]int)
	}
	for _, a := range svc.Listen {
		if first, taken := b.claim(a); taken {
			l.report.errorf(a.at, "%s collides with %s at %s", a.Written, first.Written, first.Pos).
				instead("write another address, or leave one of the two out")
		}
	}
	b.all += svc.Workers.Min
	if s := set.find("ceilings"); s != nil && !s.failed {
		for i, w := range s.value.words {
			if !slices.ContainsFunc(s.value.words[:i], func(v word) bool { return v.text == w.text }) {
				b.floors[w.text] += svc.Workers.Min
			}
		}
	}
}

// claim takes the place of an address. What is already there wins. A wildcard
// takes the port of its whole family.
func (b *bound) claim(a Listen) (Listen, bool) {
	var collide, take []place
	switch a.Network {
	case plan.NetTCP, plan.NetUDP:
		collide, take = ipPlaces(a)
	case plan.NetVsock:
		take = []place{{"vsock", a.Addr, a.Port}}
		collide = take
	default:
		take = []place{{"path", a.Path, 0}}
		collide = take
	}
	for _, p := range collide {
		if first, taken := b.at[p]; taken {
			return first, true
		}
	}
	for _, p := range take {
		if _, taken := b.at[p]; !taken {
			b.at[p] = a
		}
	}
	return Listen{}, false
}

// ipPlaces are the places that an IP address collides with, and those that it
// takes: "4", "6" are whole families, "any4" and "any6" tell that somebody
// listens in them.
func ipPlaces(a Listen) (collide, take []place) {
	kind := "tcp"
	if a.Network == plan.NetUDP {
		kind = "udp"
	}
	four := []place{{kind, "any4", a.Port}, {kind, "4", a.Port}}
	six := []place{{kind, "any6", a.Port}, {kind, "6", a.Port}}
	own := place{kind, a.Addr, a.Port}
	switch {
	case a.Addr == "" || a.Addr == "::" && !a.V6Only:
		return []place{four[0], six[0]}, append(four, six...)
	case a.Addr == "::":
		return six[:1], six
	case a.Addr == "0.0.0.0":
		return four[:1], four
	case strings.Contains(a.Addr, ":"):
		return []place{six[1], own}, []place{six[0], own}
	default:
		return []place{four[1], own}, []place{four[0], own}
	}
}

// checkTogether reports what only shows when all services are known.
func (l *loader) checkTogether() {
	for _, c := range l.cfg.Ceilings {
		if floor := l.bound.floors[c.Name]; c.Workers > 0 && floor > c.Workers {
			l.report.errorf(l.bound.tables[c.Name].key, "ceiling %s allows %s, but the floors (workers.min) of its services add up to %d", c.Name, plural(c.Workers, "worker"), floor).
				instead("write workers = %d, or lower floors", floor)
		}
		if _, used := l.bound.floors[c.Name]; !used && !l.report.failed() {
			l.report.warnf(l.bound.tables[c.Name].key, "no service has the ceiling %s", c.Name).instead("write ceilings = [%s] in those that it is for", quoted(c.Name))
		}
	}
	if brood := l.trees[0].field("brood"); brood != nil && l.cfg.Brood.MaxWorkers > 0 && l.bound.all > l.cfg.Brood.MaxWorkers {
		at := brood.key
		if n := brood.field("max_workers"); n != nil {
			at = n.at
		}
		l.report.errorf(at, "max_workers = %d, but the floors (workers.min) of all services add up to %d", l.cfg.Brood.MaxWorkers, l.bound.all).
			instead("write max_workers = %d, or lower floors", l.bound.all)
	}
	for _, name := range l.names {
		if t := l.templates[name]; !t.used && !l.report.failed() {
			l.report.warnf(t.node.key, "no service uses the template %s", name).instead("write template = %s in those that it is for", quoted(name))
		}
	}
}
