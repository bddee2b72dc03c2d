package pool

// A queueName names one of the orders in which children stand. All of them are
// orders in time, and each goes with one span of the policy, so that the head
// of a queue is the first of its children for whom anything is due.
type queueName uint8

const (
	// byFree: available, since when.
	byFree queueName = iota
	// byBusy: with a client, since when; those who are leaving included.
	byBusy
	// byStart: has a pid and was not heard of yet, since when.
	byStart
	// byHeir: was born to succeed another and is well, or nearly so.
	byHeir
	// byBeat: has promised to speak, and when it last did.
	byBeat
	// byAge: stays, and since when it has lived.
	byAge
	// byTurn: is to be replaced, and since when.
	byTurn
	// byDrain: is retired, and finishes its client, since when.
	byDrain
	// byStop: was sent the stop signal, when.
	byStop
	queues
)

// A slot is a place in a child for one queue; of the queues that share one a
// child is never in two.
type slot uint8

const (
	work slot = iota
	start
	beat
	age
	end
	slots
)

var slotOf = [queues]slot{
	byFree: work, byBusy: work, byStart: start, byHeir: start, byBeat: beat,
	byAge: age, byTurn: age, byDrain: end, byStop: end,
}

// link is a child's place in a queue.
type link struct {
	prev, next *child
	at         Time
	in         queueName
	linked     bool
}

// queue is children in order of their times.
type queue struct{ head, tail *child }

// enqueue puts a child into a queue, and takes it out of the one that has its
// slot now. Times mostly come in order, and then the place is the tail.
func (p *Pool) enqueue(name queueName, c *child, at Time) {
	s := slotOf[name]
	p.dequeue(s, c)
	q := &p.queues[name]
	after := q.tail
	for after != nil && after.links[s].at > at {
		after = after.links[s].prev
	}
	l := link{prev: after, next: q.head, at: at, in: name, linked: true}
	if after != nil {
		l.next = after.links[s].next
		after.links[s].next = c
	} else {
		q.head = c
	}
	if l.next != nil {
		l.next.links[s].prev = c
	} else {
		q.tail = c
	}
	c.links[s] = l
}

// dequeue takes a child out of the queue that has its slot, if any.
func (p *Pool) dequeue(s slot, c *child) {
	l := c.links[s]
	if !l.linked {
		return
	}
	q := &p.queues[l.in]
	if l.prev != nil {
		l.prev.links[s].next = l.next
	} else {
		q.head = l.next
	}
	if l.next != nil {
		l.next.links[s].prev = l.prev
	} else {
		q.tail = l.prev
	}
	c.links[s] = link{}
}

// isIn tells whether a child stands in a queue.
func (c *child) isIn(name queueName) bool {
	l := &c.links[slotOf[name]]
	return l.linked && l.in == name
}

// first is the head of a queue.
func (p *Pool) first(name queueName) *child { return p.queues[name].head }

// after is who stands behind a child.
func (c *child) after(name queueName) *child { return c.links[slotOf[name]].next }

// dueIn is the head of a queue if its span is over; nil if not.
func (p *Pool) dueIn(name queueName) *child {
	span := p.spans[name]
	c := p.queues[name].head
	if span <= 0 || c == nil || c.links[slotOf[name]].at+Time(span) > p.now {
		return nil
	}
	return c
}

// setPolicy takes a policy, and notes which span of it goes with which queue.
func (p *Pool) setPolicy(policy *Policy) {
	p.policy = *policy
	p.spans = [queues]Duration{
		byBusy: policy.Busy, byBeat: policy.Heartbeat, byAge: policy.MaxAge,
		byDrain: policy.Stop.Drain, byStop: policy.Stop.Timeout,
	}
	if policy.Single {
		p.spans[byAge] = 0 // it lives as long as its client
	}
	switch {
	case policy.Ready:
		p.spans[byStart] = policy.StartTimeout
	case policy.Opaque:
		p.spans[byStart] = policy.startSpan()
	}
	if policy.managed() || policy.MaxUse > 0 || policy.MaxAge > 0 || policy.MaxMemory > 0 {
		p.spans[byHeir] = heirPatience
	}
	p.timed = p.spans != [queues]Duration{}
	p.queueAt = p.now // with other spans, others may be due
}

// nextInQueues is the first time at which a queue's head is due; 0 if never.
// While nothing is due before, the time that was asked for last stands, even
// where its child has moved on: one needless ring is cheaper than a new time
// with every record.
func (p *Pool) nextInQueues() Time {
	if !p.timed || p.gone {
		p.queueAt = 0
		return 0
	}
	var next Time
	for name := range queues {
		if c := p.queues[name].head; c != nil && p.spans[name] > 0 {
			next = earlier(next, c.links[slotOf[name]].at+Time(p.spans[name]))
		}
	}
	if p.queueAt <= p.now || next != 0 && next < p.queueAt {
		p.queueAt = next
	}
	return p.queueAt
}
