package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/pool"
)

// Difference is one thing in which two plans of a service differ.
type Difference struct {
	// Key is the key of brood.toml, or the column of master.cf or parameter of
	// main.cf, that it is written by.
	Key string
	// Text is the whole line for a person, such as "max_use: 100, was 50".
	// Values of environment variables are not in it: they may be secrets.
	Text string
	// Birth tells that workers are born differently, so that those of before do
	// not do any more.
	Birth bool
}

// Explain says in the operator's words in what two plans of one service differ,
// however little that means; nil where they are the same but for their places in
// the files.
func Explain(old, next *Service) []Difference {
	if Same(old, next) {
		return nil
	}
	d := &differences{}
	if next.Wishes == nil || old.Wishes == nil {
		d.masterRow(old, next)
		return d.list
	}
	d.what(old, next)
	d.pool(old.Policy, next.Policy)
	d.life(old, next)
	d.surroundings(old, next)
	return d.list
}

// differences collects them in the order of the manual.
type differences struct{ list []Difference }

// birth and policy note that a value differs: one that workers are born with,
// and one that they never see.
func (d *differences) birth(key, was, now string)  { d.add(key, was, now, true) }
func (d *differences) policy(key, was, now string) { d.add(key, was, now, false) }

func (d *differences) add(key, was, now string, birth bool) {
	if was != now {
		d.list = append(d.list, Difference{key, key + ": " + now + ", was " + was, birth})
	}
}

// note is for what is not told by two values.
func (d *differences) note(key, text string, birth bool) {
	d.list = append(d.list, Difference{key, key + ": " + text, birth})
}

// what compares who listens where, and what serves it.
func (d *differences) what(old, next *Service) {
	d.listen("listen", old, next)
	if !slices.Equal(old.Wishes.SocketNames, next.Wishes.SocketNames) && len(old.Endpoints) == len(next.Endpoints) {
		d.birth("listen", "named "+words(old.Wishes.SocketNames), "named "+words(next.Wishes.SocketNames))
	} else if !slices.Equal(old.Wishes.SocketNames, next.Wishes.SocketNames) {
		d.note("listen", "sockets are named "+words(next.Wishes.SocketNames), true)
	}
	d.command(old, next)
	d.birth("protocol", protocolWord(old.Protocol), protocolWord(next.Protocol))
	if old.Transport != next.Transport {
		d.note("listen", "clients come by another kind of socket", true)
	}
	if old.Name != next.Name || old.Key != next.Key || old.Canonical != next.Canonical {
		d.note("service", "it has another name", true)
	}
	d.birth("fd", strconv.Itoa(old.Wishes.FD), strconv.Itoa(next.Wishes.FD))
	if old.Policy.Opaque != next.Policy.Opaque || old.Policy.Single != next.Policy.Single {
		d.note("protocol", "brood counts its clients in another way", false)
	}
}

// listen names the addresses that come and go.
func (d *differences) listen(key string, old, next *Service) {
	before := len(d.list)
	for _, e := range next.Endpoints {
		was := same(old.Endpoints, e)
		switch {
		case was == nil:
			d.note(key, "added "+e.String(), true)
		case *was != e:
			d.note(key, e.String()+": "+attributes(e)+", was "+attributes(*was), true)
		}
	}
	for _, e := range old.Endpoints {
		if same(next.Endpoints, e) == nil {
			d.note(key, "removed "+e.String(), true)
		}
	}
	if len(d.list) == before && !slices.Equal(old.Endpoints, next.Endpoints) {
		d.note(key, "another order", true)
	}
}

// same is the endpoint of a list at the same address, or nil.
func same(list []Endpoint, e Endpoint) *Endpoint {
	i := slices.IndexFunc(list, func(o Endpoint) bool { return o.String() == e.String() })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// command compares the program and its arguments.
func (d *differences) command(old, next *Service) {
	a, b := &old.Command, &next.Command
	if !slices.Equal(a.Args, b.Args) || !slices.Equal(a.StressArgs, b.StressArgs) {
		d.note("command", words(b.Args)+", was "+words(a.Args), true)
	}
	if a.Path != b.Path {
		d.note("command", "runs "+b.Path+", was "+a.Path, true)
	}
}

// pool compares how many workers there are, and for how long.
func (d *differences) pool(a, b *pool.Policy) {
	d.policy("workers.min", count(a.Min, "0"), count(b.Min, "0"))
	d.policy("workers.spare", count(a.Spare, "0"), count(b.Spare, "0"))
	d.policy("workers.max", count(a.Limit, "unlimited"), count(b.Limit, "unlimited"))
	d.policy("wait", span(a.Wait), span(b.Wait))
	d.policy("idle", span(a.Idle), span(b.Idle))
	d.policy("max_use", count(a.MaxUse, never), count(b.MaxUse, never))
	d.policy("max_age", span(a.MaxAge), span(b.MaxAge))
	d.policy("max_memory", size(a.MaxMemory), size(b.MaxMemory))
	d.policy("start.timeout", span(a.StartTimeout), span(b.StartTimeout))
	d.policy("start.notify", flag(a.Ready), flag(b.Ready))
	d.policy("start.ramp", count(a.Ramp, "1"), count(b.Ramp, "1"))
	d.policy("stop.drain", span(a.Stop.Drain), span(b.Stop.Drain))
	d.policy("stop.signal", signalWord(int(a.Stop.Signal)), signalWord(int(b.Stop.Signal)))
	d.policy("stop.timeout", span(a.Stop.Timeout), span(b.Stop.Timeout))
	d.policy("backoff.first", span(a.Backoff.First), span(b.Backoff.First))
	d.policy("backoff.factor", ratio(a.Backoff.Factor), ratio(b.Backoff.Factor))
	d.policy("backoff.max", span(a.Backoff.Max), span(b.Backoff.Max))
	d.policy("backoff.stable", span(a.Backoff.Stable), span(b.Backoff.Stable))
	d.policy("backoff.tries", count(a.Backoff.Tries, "unlimited"), count(b.Backoff.Tries, "unlimited"))
	d.birth("heartbeat", span(a.Heartbeat), span(b.Heartbeat))
	d.policy("busy", span(a.Busy), span(b.Busy))
	d.policy("every", every(a), every(b))
	d.policy("stress", stressWord(a), stressWord(b))
	d.fixed(a, b)
}

// fixed compares what brood.toml has no keys for: a file of another version of
// brood may come with other values.
func (d *differences) fixed(a, b *pool.Policy) {
	d.policy("throttle", span(a.Throttle), span(b.Throttle))
	d.policy("kill after", span(a.KillAfter), span(b.KillAfter))
	d.policy("patience", span(a.Patience), span(b.Patience))
}

// life compares what becomes of workers and sockets when things go wrong.
func (d *differences) life(old, next *Service) {
	a, b := old.Wishes, next.Wishes
	d.policy("on_give_up", giveUpWord(a.OnGiveUp), giveUpWord(b.OnGiveUp))
	d.policy("essential", flag(a.Essential), flag(b.Essential))
	d.policy("ceilings", words(a.Ceilings), words(b.Ceilings))
	d.birth("orphans", orphanWord(a.OrphanSignal), orphanWord(b.OrphanSignal))
	d.policy("log.to", a.Output.To, b.Output.To)
	d.policy("log.format", formatWord(a.Output.JSON), formatWord(b.Output.JSON))
	d.policy("log.facility", a.Output.Facility, b.Output.Facility)
	d.policy("log.rate", count(a.Output.Rate, "unlimited"), count(b.Output.Rate, "unlimited"))
	d.policy("log.keep", count(a.Output.Keep, "0"), count(b.Output.Keep, "0"))
}

// surroundings compares whom a worker runs as, where, and with what.
func (d *differences) surroundings(old, next *Service) {
	d.account(old.Wishes.Account, next.Wishes.Account)
	a, b := &old.Command, &next.Command
	d.birth("directory", a.Dir, b.Dir)
	d.birth("umask", octal(uint32(a.Umask)), octal(uint32(b.Umask)))
	d.environment("env", a.Env, b.Env)
	d.birth("SIGPIPE", pipeWord(a.IgnoreSIGPIPE), pipeWord(b.IgnoreSIGPIPE))
	d.limits(old.Wishes.Limits, next.Wishes.Limits)
}

func (d *differences) account(a, b *Account) {
	own := &Account{UID: -1, GID: -1}
	if a == nil && b != nil || a != nil && b == nil {
		before := len(d.list)
		defer func() {
			if len(d.list) == before {
				d.note("user", "it is set or left to brood's own", true)
			}
		}()
	}
	if a == nil {
		a = own
	}
	if b == nil {
		b = own
	}
	d.birth("user", id(a.UID), id(b.UID))
	d.birth("group", id(a.GID), id(b.GID))
	if !slices.Equal(a.GIDs, b.GIDs) || (a.GIDs == nil) != (b.GIDs == nil) {
		d.note("groups", ids(b.GIDs)+", was "+ids(a.GIDs), true)
	}
}

// environment names the variables that differ, and never their values.
func (d *differences) environment(key string, a, b []string) {
	if slices.Equal(a, b) {
		return
	}
	var parts []string
	for _, v := range b {
		name, _, _ := strings.Cut(v, "=")
		switch was := variable(a, name); {
		case was == "":
			parts = append(parts, "added "+name)
		case was != v:
			parts = append(parts, "changed "+name)
		}
	}
	for _, v := range a {
		if name, _, _ := strings.Cut(v, "="); variable(b, name) == "" {
			parts = append(parts, "removed "+name)
		}
	}
	if parts == nil {
		parts = []string{"another order"}
	}
	d.note(key, strings.Join(parts, ", "), true)
}

// variable is the whole NAME=value of an environment, "" if it has none.
func variable(env []string, name string) string {
	for _, v := range env {
		if strings.HasPrefix(v, name+"=") {
			return v
		}
	}
	return ""
}

func (d *differences) limits(a, b []Limit) {
	before := len(d.list)
	for _, l := range b {
		d.birth("limits."+ResourceName(l.Resource), limitIn(a, l.Resource), limitIn(b, l.Resource))
	}
	for _, l := range a {
		if limitIn(b, l.Resource) == unset {
			d.birth("limits."+ResourceName(l.Resource), limitIn(a, l.Resource), unset)
		}
	}
	if len(d.list) == before && !slices.Equal(a, b) {
		d.note("limits", "another order", true)
	}
}
