package master

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/scoreboard"
)

// comparison is what a plan is compared with: the state of the loop when the
// reading began, which stays that until it ends.
type comparison struct {
	plan  *plan.Plan
	drain time.Duration
}

// propose reads a plan and says what it would change. It runs outside the loop.
func (c *comparison) propose(r *reading, read func() (*Proposal, error)) proposed {
	p := proposed{}
	if p.proposal, p.err = read(); p.err != nil {
		return p
	}
	p.next = p.proposal.Plan
	if r.service != "" {
		if p.next, p.err = c.exchange(p.proposal.Plan, r.service); p.err != nil {
			return p
		}
	}
	p.outcome = c.outcome(p.next, r.service == "")
	p.outcome.Warnings = append(diagnosticsOf(p.proposal.Warnings, false), missingPrograms(p.next)...)
	if r.service == "" {
		c.daemon(&p)
	}
	return p
}

// exchange is the plan in force with one service of another in the place of its
// own: changed, added or removed. The limits that it shares with others stay as
// they are in force; those that it alone brings are added.
func (c *comparison) exchange(next *plan.Plan, name string) (*plan.Plan, error) {
	old, err := one(c.plan.Services, name)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return nil, err
	}
	fresh, err2 := one(next.Services, name)
	if err2 != nil && (old == nil || !errors.Is(err2, ErrUnknown)) {
		return nil, err2
	}
	merged := &plan.Plan{Source: next.Source, Ceilings: c.plan.Ceilings}
	placed := fresh == nil
	for _, s := range c.plan.Services {
		switch {
		case fresh != nil && s.Key == fresh.Key, s == old:
			if !placed {
				merged.Services = append(merged.Services, fresh)
				placed = true
			}
		default:
			merged.Services = append(merged.Services, s)
		}
	}
	if !placed {
		merged.Services = append(merged.Services, fresh)
	}
	if fresh != nil && fresh.Wishes != nil {
		merged.Ceilings = withCeilings(c.plan.Ceilings, next.Ceilings, fresh.Wishes.Ceilings)
	}
	return merged, nil
}

// withCeilings adds those of next that are wanted and not there yet. The one over
// all services stays last.
func withCeilings(now, next []plan.Ceiling, wanted []string) []plan.Ceiling {
	all := slices.Clone(now)
	for _, c := range next {
		there := slices.ContainsFunc(now, func(o plan.Ceiling) bool { return o.Name == c.Name })
		if there || !slices.Contains(wanted, c.Name) {
			continue
		}
		at := len(all)
		if at > 0 && all[at-1].Name == "" {
			at--
		}
		all = slices.Insert(all, at, c)
	}
	return all
}

// outcome says what it means for each service that a plan comes into force.
func (c *comparison) outcome(next *plan.Plan, whole bool) *scoreboard.Outcome {
	changes := plan.Diff(c.plan, next)
	out := &scoreboard.Outcome{Changes: make([]scoreboard.Change, 0, comeAndGo(changes))}
	for _, ch := range changes {
		renewed := ch.New != nil && ch.New.Wishes == nil && ch.Old != nil
		out.RestartsAll = out.RestartsAll || renewed && whole
		switch {
		case ch.Old == nil:
			out.Changes = append(out.Changes, added(ch.New))
		case ch.New == nil:
			out.Changes = append(out.Changes, removed(ch.Old))
		case ch.Old == ch.New, plan.Same(ch.Old, ch.New) && (!renewed || whole):
			out.Kept++
		default:
			out.Changes = append(out.Changes, changed(ch.Old, ch.New))
		}
	}
	out.Changes = append(out.Changes, ceilings(c.plan.Ceilings, next.Ceilings)...)
	return out
}

// comeAndGo is how many services come or go. That can be thousands, and room
// that is made for them in steps costs several times as much.
func comeAndGo(changes []plan.Change) int {
	n := 0
	for _, ch := range changes {
		if ch.Old == nil || ch.New == nil {
			n++
		}
	}
	return n
}

func placeIn(kind string, s *plan.Service) scoreboard.Change {
	return scoreboard.Change{Service: s.Name, Kind: kind, File: s.Pos.File, Line: s.Pos.Line}
}

func added(s *plan.Service) scoreboard.Change {
	c := placeIn("added", s)
	for _, e := range s.Endpoints {
		c.Details = append(c.Details, "listen: "+e.String())
	}
	c.Details = append(c.Details, "command: "+scoreboard.ShellLine(s.Command.Args))
	return c
}

// What becomes of those who are there when a service goes; it is never changed.
var (
	finish = []string{"its workers finish their clients, for as long as brood.drain and stop.drain allow"}
	end    = []string{"its processes are sent TERM"}
)

func removed(s *plan.Service) scoreboard.Change {
	c := placeIn("removed", s)
	c.Details = finish
	if s.Wishes == nil {
		c.Details = end
	}
	return c
}

func changed(old, next *plan.Service) scoreboard.Change {
	c := placeIn("changed", next)
	var births []string
	for _, d := range plan.Explain(old, next) {
		c.Details = append(c.Details, d.Text)
		if d.Birth && !slices.Contains(births, d.Key) {
			births = append(births, d.Key)
		}
	}
	switch {
	case next.Wishes == nil:
		c.Restarts, c.Why = true, "a reload renews the processes of a service of master.cf"
	case len(births) > 0:
		c.Restarts, c.Why = true, "workers are born with another "+strings.Join(births, ", ")
	}
	return c
}

// ceilings says which limits over several services come, go and change.
func ceilings(old, next []plan.Ceiling) (all []scoreboard.Change) {
	find := func(list []plan.Ceiling, name string) string {
		i := slices.IndexFunc(list, func(c plan.Ceiling) bool { return c.Name == name })
		if i < 0 {
			return "unlimited"
		}
		return strconv.Itoa(list[i].Workers)
	}
	seen := map[string]bool{}
	for _, c := range slices.Concat(old, next) {
		was, now := find(old, c.Name), find(next, c.Name)
		if seen[c.Name] || was == now {
			continue
		}
		seen[c.Name] = true
		table, key := "[ceiling."+c.Name+"]", "workers"
		if c.Name == "" {
			table, key = daemonTable, "max_workers"
		}
		kind := "changed"
		if was == "unlimited" {
			kind = "added"
		} else if now == "unlimited" {
			kind = "removed"
		}
		all = append(all, scoreboard.Change{Service: table, Kind: kind, Details: []string{key + ": " + now + ", was " + was}})
	}
	return all
}

// daemonTable is where brood.toml speaks of the daemon as a whole.
const daemonTable = "[brood]"

// daemon says what changes for the daemon as a whole.
func (c *comparison) daemon(p *proposed) {
	details := p.proposal.Details
	if was, now := c.drain, p.proposal.Drain; was != now {
		text := func(d time.Duration) string {
			if d <= 0 {
				return "never"
			}
			return d.String()
		}
		details = append([]string{"drain: " + text(now) + ", was " + text(was)}, details...)
	}
	if len(details) > 0 {
		p.outcome.Changes = append(p.outcome.Changes, scoreboard.Change{Service: daemonTable, Kind: "changed", Details: details})
	}
}

// missingPrograms warns of programs of master.cf that cannot be executed.
// Postfix finds that out at the first birth only; brood.toml is checked when it is
// read.
func missingPrograms(p *plan.Plan) (all []scoreboard.Diagnostic) {
	known := map[string]error{}
	for _, s := range p.Services {
		if s.Wishes != nil {
			continue
		}
		err, asked := known[s.Command.Path]
		if !asked {
			err = executable(s.Command.Path)
			known[s.Command.Path] = err
		}
		if err != nil {
			all = append(all, diagnostic(plan.Diagnostic{
				Severity: plan.Warning, Pos: s.Pos,
				What:    fmt.Sprintf("service %q: cannot execute %s: %v", s.Name, s.Command.Path, err),
				Instead: "install it, or name another program in the command column",
			}))
		}
	}
	return all
}

func executable(path string) error {
	info, err := os.Stat(path)
	var bad *os.PathError
	switch {
	case errors.As(err, &bad):
		return bad.Err
	case err != nil:
		return err
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return errors.New("it is no file that can be executed")
	}
	return nil
}

// summary is an outcome in a few words.
func summary(o *scoreboard.Outcome) string {
	var counts struct{ added, removed, changed int }
	for _, c := range o.Changes {
		switch c.Kind {
		case "added":
			counts.added++
		case "removed":
			counts.removed++
		default:
			counts.changed++
		}
	}
	return fmt.Sprintf("%d added, %d removed, %d changed, %d kept", counts.added, counts.removed, counts.changed, o.Kept)
}

// DiagnosticsOf is an error of an operation line by line, with the places in the
// files where it has any; nil for no error.
func DiagnosticsOf(err error) []scoreboard.Diagnostic {
	if err == nil {
		return nil
	}
	return diagnosticsOf(err, true)
}

// diagnosticsOf makes all of them errors, or all of them warnings where they are
// not in the way.
func diagnosticsOf(err error, severe bool) []scoreboard.Diagnostic {
	var ds plan.Diagnostics
	if !errors.As(err, &ds) {
		return []scoreboard.Diagnostic{{Error: severe, Text: err.Error()}}
	}
	all := make([]scoreboard.Diagnostic, 0, len(ds))
	for _, d := range ds {
		one := diagnostic(d)
		one.Error = one.Error && severe
		all = append(all, one)
	}
	return all
}

func diagnostic(d plan.Diagnostic) scoreboard.Diagnostic {
	return scoreboard.Diagnostic{
		File: d.Pos.File, Line: d.Pos.Line, Column: d.Pos.Col, Error: d.Severity == plan.Error, Text: d.String(),
	}
}
