package view

import (
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/scoreboard"
)

// Service is all that is to be seen of one service, with each of its workers.
func Service(p *scoreboard.Picture, s *scoreboard.Service, l Look) string {
	var b strings.Builder
	health, _ := s.Health(p)
	name, state := printable(s.Title(p)), string(s.State(p))
	b.WriteString(l.sides(l.paint(strong, name)+"  "+l.paint(tone(s, p), state), l.paint(wellness[health], string(health)),
		len([]rune(name))+2+len(state), len(health)) + "\n")
	if health != scoreboard.Ready {
		text := printable(s.Reason(p)) + "; the story: brood why " + name
		b.WriteString(strings.Join(scoreboard.Wrap(text, "  ", "  ", l.Width), "\n") + "\n")
	}
	b.WriteString("\n")
	for _, f := range facts(p, s) {
		if f.text == "" {
			continue
		}
		title := f.title + pad(factWidth-len(f.title))
		for i, line := range scoreboard.Wrap(printable(f.text), "", "", l.Width-2-factWidth) {
			if i > 0 {
				title = pad(factWidth)
			}
			b.WriteString("  " + l.paint(faint, title) + l.sign(line) + "\n")
		}
	}
	if len(s.Workers) > 0 {
		b.WriteString("\n" + workers(p, s, l))
	}
	return b.String()
}

const factWidth = 11

type fact struct{ title, text string }

// facts are the lines about a service.
func facts(p *scoreboard.Picture, s *scoreboard.Service) []fact {
	all := []fact{
		{"command", scoreboard.ShellLine(s.Command)},
		{"", surroundings(s)},
		{"written in", s.File + ":" + strconv.Itoa(s.Line)},
	}
	for i, a := range s.Listen {
		title := "listens at"
		if i > 0 {
			title = ""
		}
		text := a.Address + ", " + plural(a.Queue, "client waits", "clients wait")
		if a.QueueMax > 0 {
			text += " of " + strconv.Itoa(a.QueueMax)
		}
		all = append(all, fact{title, text})
	}
	if s.Queue > 0 {
		all = append(all, fact{"", "the oldest has waited for " + scoreboard.Span(s.QueueAge)})
	}
	all = append(all, fact{"workers", pool(s)}, fact{"", held(p, s)}, fact{"births", births(s)}, fact{"deaths", deaths(s)})
	if s.Counts.Clients > 0 {
		all = append(all, fact{"clients", strconv.FormatUint(s.Counts.Clients, 10) + distribution(", wait for a birth ", &s.Wait) + distribution(", work ", &s.Job)})
	}
	if s.Counts.Saturated > 0 {
		text := "full for " + scoreboard.Span(s.Counts.Saturated) + " together"
		if s.Counts.Stresses > 0 {
			text += ", stress " + times(s.Counts.Stresses)
		}
		all = append(all, fact{"load", text})
	}
	if s.Memory > 0 || s.CPU > 0 {
		all = append(all, fact{"uses", scoreboard.Size(s.Memory) + " of memory, " + scoreboard.Span(s.CPU) + " of processor time"})
	}
	return all
}

func surroundings(s *scoreboard.Service) string {
	parts := []string{"protocol " + s.Protocol}
	if s.User != "" {
		parts = append(parts, "as "+s.User)
	}
	if s.Directory != "" {
		parts = append(parts, "in "+s.Directory)
	}
	if s.Chroot != "" {
		parts = append(parts, "root "+s.Chroot)
	}
	if s.Essential {
		parts = append(parts, "essential")
	}
	return strings.Join(parts, ", ")
}

// pool is how many workers there are, and may be.
func pool(s *scoreboard.Service) string {
	var parts []string
	idle := "idle"
	if s.Opaque {
		idle = "idle or busy"
	}
	for _, w := range []struct {
		n    int
		word string
	}{{s.Busy, "busy"}, {s.Idle, idle}, {s.Starting, "starting"}, {s.Retiring, "leaving"}, {s.Deaf, "hung"}} {
		if w.n > 0 {
			parts = append(parts, strconv.Itoa(w.n)+" "+w.word)
		}
	}
	text := strings.Join(parts, ", ")
	if text == "" {
		text = "none"
	}
	if s.Limit > 0 {
		text += ", of " + strconv.Itoa(s.Limit) + " at most"
	} else {
		text += ", without a limit"
	}
	if s.Min > 0 {
		text += ", " + strconv.Itoa(s.Min) + " always"
	}
	if s.Spare > 0 {
		text += ", " + strconv.Itoa(s.Spare) + " spare"
	}
	if s.Scaled {
		text += " (scaled until the next reload)"
	}
	if s.Opaque {
		text += "; they do not tell"
	}
	return text
}

func held(p *scoreboard.Picture, s *scoreboard.Service) string {
	switch {
	case s.ThrottledUntil > p.At:
		return "held back for another " + scoreboard.Span(s.ThrottledUntil-p.At) + ", after " + plural(s.Failures, "failure", "failures") + " in a row"
	case s.StressUntil > p.At:
		return "stress for another " + scoreboard.Span(s.StressUntil-p.At)
	case s.Waiting:
		return "a birth waits for a place below a limit over several services"
	}
	return ""
}

func births(s *scoreboard.Service) string {
	text := strconv.FormatUint(s.Counts.Births, 10)
	if s.Generation > 0 {
		text += ", the youngest of generation " + strconv.FormatUint(uint64(s.Generation), 10)
	}
	if s.Counts.Stillbirths > 0 {
		text += "; " + strconv.FormatUint(s.Counts.Stillbirths, 10) + " came to nothing"
	}
	if s.Counts.Throttles > 0 {
		text += "; held back " + times(s.Counts.Throttles)
	}
	return text
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return strconv.FormatUint(n, 10) + " times"
}

func deaths(s *scoreboard.Service) string {
	d := s.Counts.Deaths
	var parts []string
	for _, end := range []struct {
		n    uint64
		word string
	}{
		{d.Done, "done"},
		{d.Asked, "asked to go"},
		{d.Failed, "failed"},
		{d.Crashed, "crashed"},
		{d.Memory, "out of memory"},
		{d.Killed, "killed by brood"},
	} {
		if end.n > 0 {
			parts = append(parts, strconv.FormatUint(end.n, 10)+" "+end.word)
		}
	}
	text := strconv.FormatUint(d.Total(), 10)
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return text
}

// distribution is what a histogram says in a line.
func distribution(title string, h *scoreboard.Histogram) string {
	if h.Count == 0 {
		return ""
	}
	return title + scoreboard.Span(h.Sum/int64(h.Count)) + " on average, 99 % within " + scoreboard.Span(h.Quantile(0.99))
}

// workers is the table of them.
func workers(p *scoreboard.Picture, s *scoreboard.Service, l Look) string {
	t := table{columns: []column{
		{title: "PID", right: true, always: true},
		{title: "STATE", always: true},
		{title: "AGE", right: true, always: true},
		{title: "CLIENT FOR", right: true},
		{title: "CLIENTS", right: true, always: true},
		{title: "MEMORY", right: true},
		{title: "CPU", right: true, rank: 2},
		{title: "GEN", right: true, rank: 1},
		{title: "SAYS", least: 10, rank: 3},
	}}
	for _, w := range s.Workers {
		as, state := plain, w.State
		if s.Opaque && state == "idle" {
			state += "?" // As in the table of all services.
		}
		switch w.State {
		case "busy":
			as = good
		case "deaf":
			as = alarm
		case "retiring", "starting":
			as = warn
		}
		client := none
		if w.Busy > 0 {
			client = short(p.At - w.Busy)
		}
		memory := none
		if w.Memory > 0 {
			memory = scoreboard.Size(w.Memory)
		}
		t.add("",
			cell{strconv.Itoa(int(w.PID)), strong}, cell{state, as}, cell{short(p.At - w.Since), plain}, cell{client, plain},
			cell{number(w.Uses), plain}, cell{memory, plain}, cell{short(w.CPU), plain}, cell{number(w.Generation), faint},
			cell{printable(w.Status), plain})
	}
	return t.draw(l, "  ")
}
