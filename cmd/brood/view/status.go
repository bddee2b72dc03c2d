package view

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/brood-project/brood/internal/scoreboard"
)

// none stands in a cell where there is nothing to count.
const none = "·"

// besides is how many lines of the terminal are for other things than services.
const besides = 8

// Status is the table of all services, below what is to be known of the daemon.
// Where there are more than the terminal shows, those that rest and are well are
// only counted, unless all are wanted.
func Status(p *scoreboard.Picture, l Look, all bool) string {
	var b strings.Builder
	b.WriteString(Head(p, l))
	if len(p.Services) == 0 {
		b.WriteString("\nThere is no service; add one to " + p.Source + ".\n")
		return b.String()
	}
	t := table{columns: []column{
		{title: "SERVICE", least: 12, always: true},
		{title: "STATE", always: true},
		{title: "BUSY", right: true, always: true},
		{title: "IDLE", right: true, always: true},
		{title: "STARTING", right: true, rank: 3},
		{title: "LEAVING", right: true, rank: 4},
		{title: "HUNG", right: true, rank: 1},
		{title: "OF", right: true, always: true},
		{title: "QUEUE", right: true, always: true},
		{title: "OLDEST", right: true, rank: 1},
		{title: "CLIENTS", right: true, rank: 7},
		{title: "BIRTHS", right: true, rank: 5, always: true},
		{title: "DEATHS", right: true, rank: 6, always: true},
		{title: "FAILED", right: true, rank: 2},
		{title: "FULL FOR", right: true, rank: 8},
		{title: "GEN", right: true, rank: 9},
	}}
	resting, few := 0, all || l.Height == 0 || len(p.Services) <= l.Height-besides
	for i := range p.Services {
		s := &p.Services[i]
		if !few && atRest(s, p) {
			resting++
			continue
		}
		addService(&t, s, p)
	}
	b.WriteString("\n")
	if len(t.rows) > 0 {
		b.WriteString(t.draw(l, ""))
	}
	if resting > 0 {
		text := plural(resting, "service rests", "services rest") + ", ready for the next client; --all shows them"
		if len(t.rows) > 0 {
			text = "and " + text
		}
		b.WriteString(l.paint(faint, text) + "\n")
	}
	if _, reasons := p.Health(); len(reasons) > 0 && !p.Closing {
		b.WriteString("\n" + l.paint(faint, "The story of what is not ready: brood why") + "\n")
	}
	return b.String()
}

// atRest tells that there is nothing to see.
func atRest(s *scoreboard.Service, p *scoreboard.Picture) bool {
	health, _ := s.Health(p)
	return health == scoreboard.Ready && s.Living() == 0 && s.Queue == 0
}

func addService(t *table, s *scoreboard.Service, p *scoreboard.Picture) {
	health, _ := s.Health(p)
	below := ""
	if health != scoreboard.Ready && !p.Closing {
		below = s.Reason(p)
	}
	if s.ThrottledUntil > p.At && below != "" {
		below += "; next try in " + scoreboard.Span(s.ThrottledUntil-p.At)
	}
	if s.StressUntil > p.At && below == "" {
		below = "stress is on, for another " + scoreboard.Span(s.StressUntil-p.At)
	}
	if s.Scaled && below == "" {
		below = "scaled by an operator until the next reload"
	}
	limit := number(s.Limit)
	if s.Limit == 0 {
		limit = "any"
	}
	idle := number(s.Idle)
	if s.Opaque && s.Idle > 0 {
		idle += "?" // They do not tell whether they are busy.
	}
	failed := s.Counts.Deaths.Failed + s.Counts.Deaths.Crashed + s.Counts.Deaths.Memory + s.Counts.Deaths.Killed
	queue := cell{number(s.Queue), plain}
	oldest := cell{short(s.QueueAge), plain}
	if s.Queue > 0 && health != scoreboard.Ready {
		queue.as, oldest.as = warn, warn
	}
	t.add(printable(below),
		cell{printable(s.Title(p)), strong},
		cell{string(s.State(p)), tone(s, p)},
		cell{number(s.Busy), plain},
		cell{idle, plain},
		cell{number(s.Starting), plain},
		cell{number(s.Retiring), plain},
		cell{number(s.Deaf), bad},
		cell{limit, plain},
		queue,
		oldest,
		cell{number(s.Counts.Clients), plain},
		cell{number(s.Counts.Births), plain},
		cell{number(s.Counts.Deaths.Total()), plain},
		cell{number(max(failed, s.Counts.Stillbirths)), warn},
		cell{short(s.Counts.Saturated), plain},
		cell{number(s.Generation), faint},
	)
}

// tone is the colour of a service's state.
func tone(s *scoreboard.Service, p *scoreboard.Picture) colour {
	switch health, _ := s.Health(p); health {
	case scoreboard.Degraded:
		return warn
	case scoreboard.Failing:
		if s.Paused || s.Draining || s.Removed {
			return warn
		}
		return alarm
	case scoreboard.Ready:
	}
	if s.Living() == 0 {
		return faint
	}
	return good
}

// Head is what is to be known of the daemon: one line, a second about the
// configuration, and all that needs attention.
func Head(p *scoreboard.Picture, l Look) string {
	health, reasons := p.Health()
	left := "brood " + p.Version
	rest := " " + l.sign("·") + " " + p.Mode + " " + l.sign("·") + " pid " + strconv.Itoa(int(p.PID)) +
		" " + l.sign("·") + " up " + scoreboard.Span(p.At-p.Started)
	if text := crew(p, l); len([]rune(left+rest+text))+len(health)+gap <= l.Width {
		rest += text
	}
	var b strings.Builder
	b.WriteString(l.sides(l.paint(strong, left)+rest, l.paint(wellness[health], string(health)), len([]rune(left+rest)), len(health)) + "\n")
	source := p.Source
	if p.Reload != nil && p.Reload.Refused == nil {
		source += ", reloaded " + scoreboard.Span(p.At-p.Reload.At) + " ago"
	}
	b.WriteString(l.paint(faint, l.cut(source, l.Width)) + "\n")
	if p.Stale > 0 {
		b.WriteString(l.paint(alarm, "BUSY: broodd has not answered for "+scoreboard.Span(p.Stale)) + "; this is how it was before\n")
	}
	if p.Closing {
		b.WriteString(l.paint(alarm, "BEING STOPPED: workers finish their clients"+until(p)) + "\n")
	}
	b.WriteString(refusal(p, l))
	if len(reasons) > 0 && !p.Closing {
		b.WriteString(attention(p, l))
	}
	return b.String()
}

// crew is how many workers there are in all.
func crew(p *scoreboard.Picture, l Look) string {
	if p.Workers == 0 {
		return ""
	}
	text := " " + l.sign("·") + " " + plural(p.Workers, "worker", "workers")
	if p.WorkersMax > 0 {
		text += " of " + strconv.Itoa(p.WorkersMax)
	}
	return text
}

func until(p *scoreboard.Picture) string {
	if p.Deadline == 0 {
		return ""
	}
	return ", for another " + scoreboard.Span(p.Deadline-p.At)
}

// refusal shouts that what is served is not what is written.
func refusal(p *scoreboard.Picture, l Look) string {
	if p.Reload == nil || p.Reload.Refused == nil {
		return ""
	}
	text := l.paint(alarm, "THE LAST RELOAD WAS REFUSED") + ", " + scoreboard.Span(p.At-p.Reload.At) +
		" ago; the configuration from before is served:\n"
	for _, line := range p.Reload.Refused {
		text += strings.Join(scoreboard.Wrap(printable(line), "  ", "    ", l.Width), "\n") + "\n"
	}
	return text
}

// attention names the services that are not ready, the failing ones first.
func attention(p *scoreboard.Picture, l Look) string {
	names := map[scoreboard.Health][]string{}
	for i := range p.Services {
		s := &p.Services[i]
		if health, _ := s.Health(p); health != scoreboard.Ready && !s.Removed {
			names[health] = append(names[health], printable(s.Title(p)))
		}
	}
	text := ""
	for _, kind := range []struct {
		health scoreboard.Health
		as     colour
	}{{scoreboard.Failing, alarm}, {scoreboard.Degraded, warn}} {
		list := names[kind.health]
		if len(list) == 0 {
			continue
		}
		line := string(kind.health) + ": " + nameList(list, l.Width-len(kind.health)-2)
		text += l.paint(kind.as, line) + "\n"
	}
	return text
}

// nameList puts as many names into a line as there is room for.
func nameList(names []string, width int) string {
	line := ""
	for i, name := range names {
		more := ""
		if rest := len(names) - i - 1; rest > 0 {
			more = " and " + strconv.Itoa(rest) + " more"
		}
		joint := ", "
		if line == "" {
			joint = ""
		}
		if i > 0 && utf8.RuneCountInString(line+joint+name+more) > width {
			return line + " and " + strconv.Itoa(len(names)-i) + " more"
		}
		line += joint + name
	}
	return line
}

// number is a count for a table.
func number[N int | int32 | uint32 | uint64](n N) string {
	if n == 0 {
		return none
	}
	return strconv.FormatInt(int64(n), 10)
}

// short is a span for a table.
func short(ns int64) string {
	if ns <= 0 {
		return none
	}
	return scoreboard.ShortSpan(ns)
}

func plural(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + several
}

// Whole is what brood why says of the daemon before the stories of so many
// services: a reload that was refused, or that nothing is wrong.
func Whole(p *scoreboard.Picture, stories int, l Look) string {
	text := refusal(p, l)
	if p.Closing {
		text += l.paint(alarm, "BEING STOPPED: workers finish their clients"+until(p)) + "\n"
	}
	switch {
	case stories > 0:
		text += plural(stories, "service is", "services are") + " not ready, of " + strconv.Itoa(len(p.Services)) + ".\n"
	case text == "" && len(p.Services) == 0:
		text = "There is no service, so nothing is wrong.\n"
	case text == "":
		text = "Nothing is wrong: " + plural(len(p.Services), "service", "services") + ", all ready.\n"
	}
	return text
}
