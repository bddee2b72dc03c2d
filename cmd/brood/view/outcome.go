package view

import (
	"strconv"
	"strings"
	"time"

	"github.com/brood-project/brood/internal/scoreboard"
)

// Outcome is what a reload would do, or has done: a line for each service, what
// differs below it, and a sum.
func Outcome(o *scoreboard.Outcome, l Look, done bool) string {
	var b strings.Builder
	for i := range o.Changes {
		change(&b, &o.Changes[i], l)
	}
	for _, w := range o.Warnings {
		b.WriteString(l.paint(warn, printable(w.Text)) + "\n")
	}
	b.WriteString(sum(o, done) + "\n")
	for _, name := range o.Throttled {
		name = printable(name)
		text := name + " is still throttled, because a birth failed before; \"brood reset " + name + "\" tries at once, when it is mended."
		b.WriteString(strings.Join(scoreboard.Wrap(text, "", "  ", l.Width), "\n") + "\n")
	}
	return b.String()
}

// marks are how a change looks at the left.
var marks = map[string]struct {
	sign string
	as   colour
}{"added": {"+", good}, "removed": {"-", bad}, "changed": {"~", warn}}

func change(b *strings.Builder, c *scoreboard.Change, l Look) {
	mark := marks[c.Kind]
	line := mark.sign + " " + printable(c.Service) + "  " + c.Kind
	where := ""
	if c.File != "" {
		where = "  " + c.File
		if c.Line > 0 {
			where += ":" + strconv.Itoa(c.Line)
		}
	}
	b.WriteString(l.paint(mark.as, line) + l.paint(faint, where) + "\n")
	for _, d := range c.Details {
		b.WriteString(strings.Join(scoreboard.Wrap(printable(d), "    ", "      ", l.Width), "\n") + "\n")
	}
	if c.Restarts {
		text := "its workers are replaced"
		if c.Why != "" {
			text += ": " + c.Why
		}
		b.WriteString(strings.Join(scoreboard.Wrap(printable(text), "    ", "      ", l.Width), "\n") + "\n")
	}
}

// sum is the last line.
func sum(o *scoreboard.Outcome, done bool) string {
	kinds := map[string]int{}
	for _, c := range o.Changes {
		kinds[c.Kind]++
	}
	var parts []string
	for _, kind := range []string{"added", "changed", "removed"} {
		if n := kinds[kind]; n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+kind)
		}
	}
	same := plural(o.Kept, "service stays", "services stay") + " as " + map[bool]string{true: "it is", false: "they are"}[o.Kept == 1]
	var text string
	switch {
	case len(parts) == 0 && done:
		text = "Nothing has changed; " + same + "."
	case len(parts) == 0:
		text = "A reload would change nothing; " + same + "."
	case done:
		text = "Reloaded: " + strings.Join(parts, ", ") + "; " + same + "."
	default:
		text = "A reload would do this: " + strings.Join(parts, ", ") + "; " + same + "."
	}
	if o.RestartsAll {
		text += " All workers are replaced when they are free, as with every reload of Postfix."
	}
	return text
}

// Event is one line.
func Event(e *scoreboard.Event, l Look) string {
	as := plain
	switch e.Kind {
	case "died", "throttled", "limit", "stress", "deaf", "hung", "refused":
		as = warn
	case "gave-up", "crashed", "missing":
		as = bad
	}
	who := ""
	if e.Service != "" && !strings.HasPrefix(e.Text, "service ") {
		who = printable(e.Service) + ": "
	}
	return l.paint(faint, clock(e.At)) + "  " + l.paint(strong, who) + l.paint(as, printable(e.Text))
}

// Entry is one step of a flight recorder.
func Entry(e *scoreboard.Entry, l Look) string {
	text := l.paint(faint, clock(e.At)) + "  " + printable(e.What)
	if e.Then != "" {
		text += l.paint(faint, l.sign(" → ")+printable(e.Then))
	}
	return text
}

// clock is the time of day here, to the millisecond.
func clock(at int64) string { return time.Unix(0, at).Format("15:04:05.000") }

// Drain is how far one has come, in a line.
func Drain(p *scoreboard.Progress) string {
	if p.Done {
		return "All workers have ended."
	}
	text := plural(len(p.Left), "worker has", "workers have") + " not ended yet"
	busy := 0
	for _, w := range p.Left {
		if w.Busy > 0 {
			busy++
		}
	}
	if busy > 0 {
		text += ", " + strconv.Itoa(busy) + " with a client"
	}
	if p.Deadline > 0 {
		text += "; " + scoreboard.Span(p.Deadline-p.At) + " left"
	}
	return text
}

// CutOff names those that a drain did not wait for, a line each.
func CutOff(p *scoreboard.Progress) string {
	var b strings.Builder
	for _, w := range p.CutOff {
		text := "  worker " + strconv.Itoa(int(w.PID)) + " of " + printable(w.Service)
		if w.Busy > 0 {
			text += ", with its client for " + scoreboard.Span(p.At-w.Busy)
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

// Story is why a service is as it is, with its cause made strong and the titles
// faint.
func Story(st scoreboard.Story, l Look) string {
	lines := strings.SplitAfter(printable(st.Text(l.Width)), "\n")
	if !l.Color {
		return strings.Join(lines, "")
	}
	as := map[scoreboard.Health]colour{scoreboard.Ready: strong, scoreboard.Degraded: "1;33", scoreboard.Failing: alarm}[st.Health]
	causes := len(scoreboard.Wrap(st.Cause, "", "  ", l.Width))
	for i, line := range lines {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case i < causes:
			lines[i] = l.paint(as, text) + "\n"
		case text != "" && text[0] != ' ':
			lines[i] = l.paint(strong, text) + "\n"
		case strings.HasPrefix(text, "    | "):
			lines[i] = l.paint(faint, text) + "\n"
		}
	}
	return strings.Join(lines, "")
}
