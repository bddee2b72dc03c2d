package scoreboard

import (
	"strconv"
	"strings"
)

// Story says why a service is as it is, in plain sentences, the most important
// one first.
type Story struct {
	Service string `json:"service"`
	State   State  `json:"state"`
	Health  Health `json:"health"`
	// Cause is what is wrong, and Proof what that was concluded from. When
	// nothing is wrong, Cause says so.
	Cause string `json:"cause"`
	Proof string `json:"proof,omitempty"`
	// Happened is what was seen, and how often.
	Happened []string `json:"happened,omitempty"`
	// Found is what an inspection of the machine has found since; it is not
	// from the moment of the failure.
	Found []string `json:"found_now,omitempty"`
	// Next is what brood does by itself, Do what an operator can do.
	Next []string `json:"next,omitempty"`
	Do   []string `json:"do,omitempty"`
}

// Hidden stands in a picture for what its reader may not know.
const Hidden = "(for operators only)"

// Finding is one thing that an inspection of the machine has found.
type Finding struct {
	// About is what was looked at: "program", "interpreter", "library",
	// "directory", "user", "port", "file", "limit" or "worker".
	About string `json:"about"`
	// Wrong tells that it alone would explain a failure.
	Wrong bool `json:"wrong"`
	// Text is what was found, Do what could be done about it; sentences.
	Text string `json:"text"`
	Do   string `json:"do,omitempty"`
}

// Why tells the story of a service. The findings may be nil.
func (s *Service) Why(p *Picture, findings []Finding) Story {
	health, reason := s.Health(p)
	st := Story{Service: s.Title(p), State: s.State(p), Health: health}
	c := s.trouble(p, st.State)
	if r := p.Reload; r != nil && r.Refused != nil && st.Health == Ready {
		c = refused(p, r)
	}
	c.confirm(findings)
	switch {
	case c.text == "" && health != Ready:
		c.text = reason
	case c.text == "":
		c = foreseen(findings)
	}
	st.Cause = stop(st.Service + " " + st.State.phrase() + c.clause(s))
	st.Proof = c.proof
	st.Happened = s.happened(p)
	st.Next = s.next(p, st.State)
	st.Do = append(st.Do, c.do...)
	if d := s.Failure; d != nil && len(d.Words) > 0 && d.Words[0] == Hidden {
		st.Do = append(st.Do, "What it said is shown to operators only: ask as root, or as a member of a group of operators.")
	}
	if st.State == "throttled" || st.State == "gave-up" || st.State == "broken" {
		st.Do = append(st.Do, "\"brood reset "+st.Service+"\" tries at once, when it is mended.")
	}
	for _, f := range findings {
		st.Found = append(st.Found, f.Text)
	}
	return st
}

// Reason is in one clause why the service is not ready; "" if it is.
func (s *Service) Reason(p *Picture) string {
	if c := s.trouble(p, s.State(p)); c.text != "" {
		return c.text
	}
	_, reason := s.Health(p)
	return reason
}

// trouble is the cause of the state that a service is in; an empty one if there
// is nothing wrong.
func (s *Service) trouble(p *Picture, state State) cause {
	switch state {
	case "leaving", "draining", "paused":
		return s.byOrder(p, state)
	case "missing":
		return s.notListening()
	case "hung":
		return s.hung()
	case "full":
		return s.saturated(p)
	}
	d := s.Failure
	if d == nil {
		switch {
		case s.Deaf > 0:
			return s.hung()
		case s.forsaken():
			return s.unserved()
		}
		return cause{}
	}
	c := s.causeOf(d)
	switch {
	case state == "throttled", state == "probing", state == "gave-up", state == "broken":
		return c
	case s.Deaf > 0:
		return s.hung()
	case p.At-d.At < fresh:
		if !strings.HasPrefix(c.text, "a worker") && !strings.HasPrefix(c.text, "the kernel") {
			c.text = "a worker failed: " + c.text
		}
		c.text, c.past = p.ago(d.At)+" "+c.text, true
		return c
	case s.forsaken():
		return s.unserved()
	}
	return cause{}
}

// unserved explains clients whom none of the workers takes that there are.
func (s *Service) unserved() cause {
	c := cause{text: "no worker has taken a client that has been waiting for " + Span(s.QueueAge), past: true}
	if done := s.Counts.Deaths.Done; done > 0 && s.Counts.Clients == 0 {
		c.proof = "Its workers end by themselves and take no client: " + count(s.Counts.Births, "birth") + ", " +
			count(done, "exit") + " with status 0."
		c.do = []string{"Look in its log for what " + s.Program() + " says before it ends."}
		if s.Failures > 0 {
			// Brood counts it as failed births, so that is what the matter is.
			c.text, c.past = "its workers end with exit status 0, and take no client", false
			c.do = append([]string{"Have the program stay and serve; is it one that goes into the background?"}, c.do...)
		}
	}
	return c
}

// byOrder explains what an operator has asked for.
func (s *Service) byOrder(p *Picture, state State) cause {
	left := count(s.Living(), "worker") + " finish what they have"
	if s.Living() == 1 {
		left = "1 worker finishes what it has"
	}
	switch {
	case state == "leaving":
		return cause{text: "it is gone from the configuration, and " + left}
	case state == "paused":
		then := "clients wait in the queue"
		if s.Living() > 0 {
			then = "no worker is born, and those that live go on"
		}
		return cause{
			text: "an operator has paused it; " + then,
			do:   []string{"\"brood resume " + s.Title(p) + "\" lets it go on."},
		}
	case p.Closing:
		return cause{text: "broodd is being stopped; " + left}
	}
	if s.Living() == 0 {
		return cause{
			text: "an operator has drained it; no worker is left, and no client is taken",
			do:   []string{"\"brood resume " + s.Title(p) + "\" lets it take clients again."},
		}
	}
	return cause{
		text: "an operator is draining it; it takes no new client, and " + left,
		do:   []string{"\"brood resume " + s.Title(p) + "\" lets it take clients again."},
	}
}

// notListening explains sockets that could not be opened.
func (s *Service) notListening() cause {
	c := cause{text: "its sockets cannot be opened", proof: sentence(s.MissingWhy)}
	why, at := s.MissingWhy, "the address of its socket"
	if len(s.Listen) > 0 {
		at = s.Listen[0].Address
	}
	if step, _ := parseCause(why); step != "" {
		_, object, _ := strings.Cut(step, " ")
		at = strings.Replace(object, " port ", ":", 1)
	}
	switch {
	case strings.Contains(why, "address already in use"):
		c.text = "its address is taken by somebody else (" + at + ")"
		c.do = []string{"Stop the other one, or change listen in " + s.place() + "."}
	case strings.Contains(why, "cannot assign requested address"):
		c.text = "this machine does not have the address " + at
		c.do = []string{"\"ip addr\" has the addresses there are; change listen in " + s.place() + "."}
	case strings.Contains(why, "no such file or directory"):
		c.text = "the directory of its socket does not exist (" + at + ")"
		c.do = []string{"Make that directory, or change listen in " + s.place() + "."}
	case strings.Contains(why, "permission denied"):
		c.text = "brood may not open its socket (" + at + ")"
		c.do = []string{"Run broodd as a user who may, or change listen in " + s.place() + "."}
	case why != "":
		c.text += ": " + why
		c.proof = ""
	}
	return c
}

// hung explains workers that do not take clients.
func (s *Service) hung() cause {
	c := cause{
		text: "a worker hangs: it has left its clients waiting",
		do:   []string{"See what a worker waits for: \"brood status " + s.Name + "\" has the pids; /proc/PID/stack, strace -p PID."},
	}
	if s.Deaf > 1 {
		c.text = count(s.Deaf, "worker") + " hang: they have left their clients waiting"
	}
	var pids []string
	for _, w := range s.Workers {
		if w.State == "deaf" {
			pids = append(pids, strconv.Itoa(int(w.PID)))
		}
	}
	if len(pids) > 0 {
		c.proof = "Brood does not count on it any more: worker " + join(pids) + "."
	}
	return c
}

// saturated explains a pool in which all are busy.
func (s *Service) saturated(p *Picture) cause {
	c := cause{do: []string{
		"Raise " + s.limitName() + " in " + s.place() + " (\"brood scale " + s.Title(p) + " MAX\" until the next reload), or have clients served faster.",
	}}
	switch {
	case s.Waiting && s.Living() < s.Limit:
		c.text = "a limit over several services is reached, and " + count(s.Queue, "client") + " wait for a worker of this one"
		c.do = []string{"Raise the ceiling or brood.max_workers in " + s.File + "."}
		return c
	case s.Deaf > 0 && s.Deaf == s.Living():
		return s.hung()
	}
	c.text = "all " + count(s.Limit, "worker") + " that it may have are busy"
	if s.Limit == 1 {
		c.text = "the one worker that it may have is busy"
	}
	if s.Queue > 0 {
		c.text += ", and " + count(s.Queue, "client") + " " + plural(s.Queue, "waits", "wait") + " in the queue"
	}
	var proof []string
	if s.Queue > 0 && s.QueueAge > 0 {
		proof = append(proof, "the oldest has waited for "+Span(s.QueueAge))
	}
	if oldest := s.longestBusy(p); oldest > 0 {
		proof = append(proof, "one worker has been with its client for "+Span(oldest))
	}
	if s.Job.Count > 0 {
		proof = append(proof, "a client takes "+Span(s.Job.Sum/int64(s.Job.Count))+" on average")
	}
	c.proof = sentence(strings.Join(proof, "; "))
	return c
}

// longestBusy is how long a worker has been with its client, at most.
func (s *Service) longestBusy(p *Picture) int64 {
	longest := int64(0)
	for _, w := range s.Workers {
		if w.Busy > 0 {
			longest = max(longest, p.At-w.Busy)
		}
	}
	return longest
}

// refused explains that what the operator has written is not what is served.
func refused(p *Picture, r *Reload) cause {
	c := cause{
		text:  "the last reload was refused " + p.ago(r.At),
		past:  true,
		proof: "What is served is the configuration from before; nothing has changed.",
		do:    []string{"Correct that, look at it with \"brood plan\", then \"brood reload\"."},
	}
	if len(r.Refused) > 0 {
		c.text += ": " + strings.Replace(r.Refused[0], " error: ", " ", 1)
	}
	if len(r.Refused) > 1 {
		c.text += "; and " + count(len(r.Refused)-1, "more line")
	}
	return c
}

// clause is what follows "SERVICE is STATE".
func (c *cause) clause(s *Service) string {
	switch {
	case c.text == "":
		return s.atEase()
	case c.past:
		return ", but " + c.text
	}
	return ": " + c.text
}

// confirm has what an inspection found settle what the facts left open, and adds
// what they did not say yet.
func (c *cause) confirm(findings []Finding) {
	if c.text == "" {
		return
	}
	settled := false
	for _, f := range findings {
		if !f.Wrong || c.says(f) {
			continue
		}
		switch {
		case c.weak:
			c.proof = sentence(c.text)
			c.text = "a worker failed, probably because " + strings.TrimSuffix(f.Text, ".")
		case !settled:
			c.proof = strings.TrimPrefix(c.proof+" "+f.Text, " ")
		}
		c.weak, settled = false, true
		if f.Do != "" {
			c.do = append([]string{f.Do}, c.do...)
		}
	}
}

// says tells that the cause names already what a finding is about.
func (c *cause) says(f Finding) bool {
	absent := func(text string) bool {
		return strings.Contains(text, "does not exist") || strings.Contains(text, "not found")
	}
	return absent(f.Text) && absent(c.text) && !c.weak
}

// foreseen is what an inspection found that nothing told of yet: a worker that
// serves nobody, or that the next birth would fail.
func foreseen(findings []Finding) cause {
	for _, f := range findings {
		switch f.About {
		case "worker":
			if f.Wrong {
				text := strings.TrimSuffix(f.Text, ".")
				return cause{text: strings.ToLower(text[:1]) + text[1:], past: true, do: []string{f.Do}}
			}
		case "program", "interpreter", "library", "directory", "user":
			if f.Wrong {
				c := cause{text: "its next worker would fail: " + strings.TrimSuffix(f.Text, "."), past: true}
				if f.Do != "" {
					c.do = []string{f.Do}
				}
				return c
			}
		}
	}
	return cause{}
}

func plural[N int | uint64](n N, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
