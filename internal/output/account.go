package output

import (
	"slices"
	"strconv"
	"time"
)

// rateSpan is the time in which the lines of a service are counted.
const rateSpan = time.Second

// account is how many lines a service has had logged.
type account struct {
	c       *Collector
	last    *Stream // the latest worker, for where to tell what was lost
	rate    int
	since   time.Time // when the span began
	seen    time.Time // when the clock was looked at last: the time of its lines
	count   int
	lost    int
	pending bool // a timer will tell of the lost
	// orphans are streams of workers that have ended, which processes that they
	// have left behind hold open; the oldest first.
	orphans []*Stream
}

// orphansMost is how many of them are read from: each takes a descriptor.
const orphansMost = 64

// adopt keeps the stream of a worker that has ended, as long as there is room.
func (a *account) adopt(s *Stream) {
	a.orphans = append(a.orphans, s)
	if len(a.orphans) <= orphansMost {
		return
	}
	oldest := a.orphans[0]
	oldest.drain()
	if oldest.ours < 0 {
		return // it has come to its end by itself
	}
	text := "more than " + strconv.Itoa(orphansMost) + " processes that workers have left behind hold their output: that of worker " +
		strconv.Itoa(oldest.label.pid) + " is read no more"
	l := label{service: s.label.service}
	s.sink.log(&l, s.to, a.c.now(), []byte(text))
	oldest.end()
}

// disown forgets a stream that has ended.
func (a *account) disown(s *Stream) {
	a.orphans = slices.DeleteFunc(a.orphans, func(o *Stream) bool { return o == s })
}

// account finds or makes the account of a stream's service.
func (c *Collector) account(s *Stream) *account {
	a := c.accounts[s.label.service]
	if a == nil {
		a = &account{c: c}
		c.accounts[s.label.service] = a
	}
	a.last, a.rate = s, s.to.Rate
	return a
}

// full tells whether no more lines are logged for now.
func (a *account) full() bool { return a.rate > 0 && a.count >= a.rate }

// turn takes the time, and begins another span when one is over.
func (a *account) turn(now time.Time) {
	a.seen = now
	if now.Sub(a.since) >= rateSpan {
		a.tellLost()
		a.since, a.count = now, 0
	}
}

// lose counts lines that are not logged, and sees to it that this will be told.
func (a *account) lose(lines int) {
	a.lost += lines
	if !a.pending {
		a.pending = true
		time.AfterFunc(a.since.Add(rateSpan).Sub(a.c.now()), a.ring)
	}
}

// ring is the end of a span in which lines were lost.
func (a *account) ring() {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	a.pending = false
	a.turn(a.c.now())
}

// tellLost logs how many lines were not.
func (a *account) tellLost() {
	if a.lost == 0 {
		return
	}
	text := strconv.Itoa(a.lost) + " lines were not logged: log.rate is " + strconv.Itoa(a.rate) + " a second"
	a.lost = 0
	l := label{service: a.last.label.service}
	a.last.sink.log(&l, a.last.to, a.c.now(), []byte(text))
}
