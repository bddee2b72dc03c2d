package maillog

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// Between two tries to write what waits.
const (
	retryMin = 10 * time.Millisecond
	retryMax = 5 * time.Second
)

// errDropped is what Handle returns when a line could be neither written nor
// kept.
var errDropped = errors.New("cannot keep log lines: too many wait")

// queue writes lines in order to a destination that may be away. It is the
// part that the handlers of this package share.
type queue struct {
	mu sync.Mutex
	// write hands one line over; it never blocks and has no effect when it
	// fails.
	write func(line []byte) error
	// format makes a line of a message of ours.
	format func(b []byte, t time.Time, l slog.Level, text string) []byte
	// where names the destination to the reader of the log.
	where string

	ring  ring
	line  []byte
	timer *time.Timer
	wait  time.Duration
	done  bool
}

// log formats and writes one record.
func (q *queue) log(r slog.Record) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := r.Time
	if t.IsZero() {
		t = time.Now()
	}
	q.line = q.format(q.line[:0], t, r.Level, r.Message)
	if q.ring.len() == 0 && q.write(q.line) == nil {
		return nil
	}
	dropped := q.ring.push(q.line)
	if q.timer == nil {
		q.flush()
	}
	if dropped {
		return errDropped
	}
	return nil
}

// flush writes what waits and, if some is left, comes back later.
func (q *queue) flush() {
	if q.done {
		return
	}
	q.timer = nil
	before := q.ring.len()
	if q.flushNow() {
		q.wait = 0
		return
	}
	if q.ring.len() < before {
		// Somebody reads, in small sips.
		q.wait = 0
	}
	q.wait = min(max(2*q.wait, retryMin), retryMax)
	var timer *time.Timer
	timer = time.AfterFunc(q.wait, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.timer == timer {
			q.flush()
		}
	})
	q.timer = timer
}

// flushNow writes as much as is taken and tells whether nothing is left.
func (q *queue) flushNow() bool {
	if q.ring.lost > 0 {
		text := strconv.Itoa(q.ring.lost) + " log lines were lost: nobody read " + q.where
		if q.write(q.format(nil, time.Now(), Warning, text)) != nil {
			return false
		}
		q.ring.lost = 0
	}
	for q.ring.len() > 0 {
		if q.write(q.ring.peek()) != nil {
			return false
		}
		q.ring.pop()
	}
	return true
}

// Pending is how many lines wait.
func (q *queue) Pending() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ring.len()
}

// Flush tries at once to write what waits.
func (q *queue) Flush() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.timer != nil {
		q.timer.Stop()
	}
	q.flush()
}

// Rescue takes all lines that wait away and writes them to w, each with a
// newline, so that a process that must leave can still say them somewhere.
func (q *queue) Rescue(w io.Writer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.ring.len() > 0 {
		_, _ = w.Write(append(q.ring.peek(), '\n'))
		q.ring.pop()
	}
}

// stop ends the tries; what still waits is lost.
func (q *queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.flushNow()
	q.done = true
	if q.timer != nil {
		q.timer.Stop()
	}
}

// The methods of slog.Handler that are alike.

// Handle writes the record, or keeps it until it can be written.
func (q *queue) Handle(_ context.Context, r slog.Record) error { return q.log(r) }

// Enabled lets everything through; Leveled holds back.
func (q *queue) Enabled(context.Context, slog.Level) bool { return true }
