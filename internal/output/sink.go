package output

import (
	"strconv"
	"sync"
	"time"

	"github.com/brood-project/brood/internal/plan"
)

// queueMax is how many bytes wait to be written to one place.
const queueMax = 1 << 20

// place is where lines go: the To of an Output.
type place string

// sink writes lines to one place, in order. It has a goroutine only while there
// is something to write.
type sink struct {
	to    plan.Output
	write writer
	// trouble is told of failures; it may be nil. toldAt is when it was last.
	trouble func(to string, err error)
	toldAt  time.Time
	failing bool

	mu      sync.Mutex
	queue   []byte
	ends    []int // of the lines in queue
	lost    int
	writing bool
	rest    chan struct{} // closed when nothing is left; nil when nobody waits
}

// sink finds or makes the sink of an Output.
func (c *Collector) sink(to plan.Output) *sink {
	s := c.sinks[place(to.To)]
	if s == nil {
		s = &sink{to: to, write: writerTo(to.To), trouble: c.Trouble}
		c.sinks[place(to.To)] = s
	}
	return s
}

// log formats and queues a line.
func (s *sink) log(l *label, to plan.Output, at time.Time, text []byte) {
	s.add(func(b []byte) []byte { return format(b, to, l, at, text) })
}

// Write queues a line that is final. It never fails.
func (s *sink) Write(line []byte) (int, error) {
	s.add(func(b []byte) []byte { return append(b, line...) })
	return len(line), nil
}

// add queues what appending makes, or counts it as lost.
func (s *sink) add(appending func([]byte) []byte) {
	if s.write == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) > queueMax {
		s.lost++
		return
	}
	s.queue = appending(s.queue)
	s.ends = append(s.ends, len(s.queue))
	if !s.writing {
		s.writing = true
		go s.run()
	}
}

// run writes until nothing is left. What was lost is told with the lines that
// come after it.
func (s *sink) run() {
	var queue []byte
	var ends []int
	var lines [][]byte
	for {
		s.mu.Lock()
		s.queue, queue = queue[:0], s.queue
		s.ends, ends = ends[:0], s.ends
		if len(ends) == 0 {
			s.finish()
			s.mu.Unlock()
			return
		}
		lost := s.lost
		s.lost = 0
		s.mu.Unlock()
		lines = split(lines[:0], queue, ends)
		if lost > 0 {
			l := label{service: "brood"}
			text := strconv.Itoa(lost) + " log lines were lost: they could not be written to " + s.to.To
			lines = append(lines, format(nil, s.to, &l, time.Now(), []byte(text)))
		}
		written, err := s.write(lines)
		if err != nil {
			s.mu.Lock()
			s.lost += lost + len(ends) - written
			s.mu.Unlock()
		}
		s.complain(err)
	}
}

// troubleSpan is the least time between two complaints about one place.
const troubleSpan = time.Minute

// complain tells of the first failure after a success. There is one writer of a
// sink at a time, so what it remembers needs no lock.
func (s *sink) complain(err error) {
	began := err != nil && !s.failing
	s.failing = err != nil
	if now := time.Now(); began && s.trouble != nil && now.Sub(s.toldAt) >= troubleSpan {
		s.toldAt = now
		s.trouble(s.to.To, err)
	}
}

// finish is the end of a run. BEFORE: mu is held.
func (s *sink) finish() {
	s.writing = false
	s.queue, s.ends = nil, nil
	if s.rest != nil {
		close(s.rest)
		s.rest = nil
	}
}

// idle is closed when nothing waits to be written.
func (s *sink) idle() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rest == nil {
		s.rest = make(chan struct{})
	}
	rest := s.rest
	if !s.writing {
		s.finish()
	}
	return rest
}

func split(lines [][]byte, queue []byte, ends []int) [][]byte {
	start := 0
	for _, end := range ends {
		lines = append(lines, queue[start:end])
		start = end
	}
	return lines
}
