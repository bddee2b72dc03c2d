package scoreboard

import (
	"strconv"
	"strings"
)

// This file holds the sentences of a story that are about the past and the
// future: what was seen, and what brood does next.

// atEase completes "SERVICE is STATE" where nothing is wrong.
func (s *Service) atEase() string {
	switch {
	case s.Living() == 0:
		return ", and nothing is wrong: no client needs a worker at the moment; the next one gets one"
	case s.Opaque:
		return ", and nothing is wrong: " + count(s.Living(), "worker") + " of " + limitText(s.Limit)
	}
	return ", and nothing is wrong: " + count(s.Busy, "worker") + " busy, " + strconv.Itoa(s.Idle) + " idle, of " + limitText(s.Limit)
}

func limitText(limit int) string {
	if limit == 0 {
		return "any number"
	}
	return strconv.Itoa(limit)
}

// happened is what the counts and the last deaths tell.
func (s *Service) happened(p *Picture) []string {
	var all []string
	if d := s.Failure; d != nil {
		all = append(all, s.told(p, d, "The last failure"))
		all = append(all, d.saidLast()...)
		if d.Place != "" && d.Limit == "" {
			all = append(all, "When it was ended: "+sentence(d.Place))
		}
	}
	if d := s.Death; d != nil && (s.Failure == nil || d.At != s.Failure.At || d.PID != s.Failure.PID) {
		all = append(all, s.told(p, d, "The last end"))
	}
	if s.Failures > 0 {
		all = append(all, sentence(count(s.Failures, "birth")+" failed in a row"))
	}
	return append(all, s.sums(p))
}

// told is the sentence about one death.
func (s *Service) told(p *Picture, d *Death, title string) string {
	text := title + ", " + p.ago(d.At) + ": "
	if d.Cause != "" {
		return text + "no worker could be started."
	}
	text += "worker " + strconv.Itoa(int(d.PID)) + " " + d.ending() + ", " + Span(d.Age) + " old"
	switch known := s.knowsUses(d); {
	case known && d.Busy:
		text += ", after " + count(d.Uses, "client") + ", with one more in hand"
	case known:
		text += ", after " + count(d.Uses, "client")
	default:
		text += d.inHand()
	}
	return text + "."
}

// knowsUses tells whether it is known how many clients a worker had served: one
// that does not tell may have served any number, and one of inetd is there for
// the one that it was born with.
func (s *Service) knowsUses(d *Death) bool {
	return d.Uses > 0 || !s.Opaque && s.Protocol != "inetd"
}

// wordsMost is how many of the last words a story repeats.
const wordsMost = 6

// saidLast repeats what a worker said, when it was more than the one line that
// the proof has.
func (d *Death) saidLast() []string {
	if len(d.Words) < 2 {
		return nil
	}
	words := Unframed(d.Words)
	words = words[max(0, len(words)-wordsMost):]
	said := make([]string, 0, len(words)+1)
	said = append(said, "It said last:")
	for _, w := range words {
		said = append(said, "| "+w)
	}
	return said
}

// Unframed are the lines that stand at the margin: those that are indented are
// the frames of a stack, and between them what was said is hard to find. Where
// all are indented it is all of them.
func Unframed(words []string) []string {
	var margin []string
	for _, w := range words {
		if !strings.HasPrefix(w, " ") && !strings.HasPrefix(w, "\t") {
			margin = append(margin, w)
		}
	}
	if margin == nil {
		return words
	}
	return margin
}

// sums is all that has happened, in one sentence.
func (s *Service) sums(p *Picture) string {
	c := &s.Counts
	text := "Since broodd started, " + p.ago(p.Started) + ": " + count(c.Births, "birth")
	var ends []string
	for _, end := range []struct {
		n    uint64
		name string
	}{
		{c.Deaths.Done, "done"},
		{c.Deaths.Asked, "asked to go"},
		{c.Deaths.Failed, "failed"},
		{c.Deaths.Crashed, "crashed"},
		{c.Deaths.Memory, "out of memory"},
		{c.Deaths.Killed, "killed by brood"},
	} {
		if end.n > 0 {
			ends = append(ends, strconv.FormatUint(end.n, 10)+" "+end.name)
		}
	}
	if c.Stillbirths > 0 {
		text += " (" + strconv.FormatUint(c.Stillbirths, 10) + " came to nothing)"
	}
	if c.Clients > 0 {
		text += ", " + count(c.Clients, "client")
	}
	text += ", " + count(c.Deaths.Total(), "death")
	if len(ends) > 0 {
		text += " (" + strings.Join(ends, ", ") + ")"
	}
	if c.Throttles > 0 {
		text += ", " + count(c.Throttles, "throttle")
	}
	if c.Saturated > 0 {
		text += "; full for " + Span(c.Saturated) + " together"
	}
	return text + "."
}

// next is what brood does by itself, and when.
func (s *Service) next(p *Picture, state State) []string {
	var all []string
	add := func(text string) { all = append(all, text) }
	switch state {
	case "throttled":
		if s.Watching || s.Queue > 0 || s.Min+s.Spare > 0 {
			add("No birth is tried for another " + p.until(s.ThrottledUntil) + "; then one alone, and the others when that goes well.")
		} else {
			add("No birth is tried for another " + p.until(s.ThrottledUntil) + "; then one alone, for the first client.")
		}
	case "probing":
		add("One birth is being tried; when that goes well, the others follow.")
	case "gave-up":
		add(map[string]string{
			"hold":  "Nothing more is tried. The sockets stay open, and clients wait (on_give_up = \"hold\").",
			"close": "Nothing more is tried. The sockets are closed, and clients are refused (on_give_up = \"close\").",
			"exit":  "broodd ends, as on_give_up = \"exit\" asks.",
			"":      "Nothing more is tried.",
		}[s.OnGiveUp])
	case "broken":
		add("The next client is the next try.")
	case "missing":
		add("It is tried again every few seconds; the other services serve.")
	case "full":
		add("Clients wait in the kernel's queue, and none is refused before that is full.")
	}
	if s.able() > 0 && (state == "throttled" || state == "probing") {
		add(sentence(count(s.able(), "worker") + " from before " + plural(s.able(), "goes", "go") + " on serving"))
	}
	if s.Queue > 0 && state != "full" {
		text := count(s.Queue, "client") + " " + plural(s.Queue, "waits", "wait") + " in the queue"
		if s.QueueAge > 0 {
			text += ", the oldest for " + Span(s.QueueAge)
		}
		add(sentence(text))
	}
	if s.StressUntil > p.At {
		add("Stress is on for another " + p.until(s.StressUntil) + ".")
	}
	return all
}
