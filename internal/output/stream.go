package output

import (
	"bytes"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

const (
	// wordsMax is how many bytes of a line are kept as last words.
	wordsMax = 500
	// drainMax is how many bytes are looked through for the last words of a
	// worker that has died.
	drainMax = 1 << 20
)

// Stream is the output of one worker.
type Stream struct {
	c       *Collector
	label   label
	account *account
	to      plan.Output
	sink    *sink

	ours, theirs int // the ends of the pipe; -1 when closed
	partial      []byte
	words        [][]byte // the last lines, the oldest at next
	next         int
}

// label is what stands in front of a line.
type label struct {
	service    string
	pid        int
	generation uint32
}

// Open makes the pipe for a worker of a service that is about to be born. The
// caller MUST call Close, or Born and Given.
func (c *Collector) Open(service string, generation uint32, to plan.Output) (*Stream, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("cannot create pipe: %w", err)
	}
	// The worker's end waits when the pipe is full, as programs expect.
	if err := unix.SetNonblock(pipe[0], true); err != nil {
		unix.Close(pipe[0])
		unix.Close(pipe[1])
		return nil, fmt.Errorf("cannot set up pipe: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &Stream{
		c: c, label: label{service: service, generation: generation},
		to: to, sink: c.sink(to), ours: pipe[0], theirs: pipe[1],
	}
	s.account = c.account(s)
	return s, nil
}

// FD is the worker's end, to become its descriptors 1 and 2. It is closed by
// Given.
func (s *Stream) FD() int { return s.theirs }

// Given tells that the worker has the end of FD as its own. Before, the end of
// its output cannot be seen.
func (s *Stream) Given() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.closeTheirs()
}

// Born tells that the worker lives, under a pid. From here on its lines are read,
// until the last process that has the pipe open closes it.
func (s *Stream) Born(pid int) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.label.pid = pid
	if err := s.c.watch(s); err != nil {
		s.closeOurs()
		return err
	}
	return nil
}

// Close gives up a stream that no worker came to have.
func (s *Stream) Close() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.closeTheirs()
	s.closeOurs()
}

// Died tells that the worker has ended. Those that it has left behind may write
// on.
func (s *Stream) Died() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.ours >= 0 {
		s.account.adopt(s)
	}
}

// LastWords are the last lines of the worker, oldest first. What it wrote before
// it died is among them.
func (s *Stream) LastWords() []string {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.drain()
	var lines []string
	for i := range s.words {
		if w := s.words[(s.next+i)%len(s.words)]; len(w) > 0 {
			lines = append(lines, string(w))
		}
	}
	if rest := clean(nil, s.partial[:min(len(s.partial), wordsMax)]); len(rest) > 0 {
		lines = append(lines, string(rest))
	}
	return lines
}

// drain reads what is there.
func (s *Stream) drain() {
	for total := 0; s.ours >= 0 && total < drainMax; {
		n := s.read()
		if n == 0 {
			return
		}
		total += n
	}
}

// read takes what one read gives, and tells how much that was.
func (s *Stream) read() int {
	b, err := s.c.readPipe(s.ours)
	switch err {
	case nil:
		s.take(b)
		return len(b)
	case errAgain:
	default: // end-of-file, or a pipe that is of no use any more
		s.end()
	}
	return 0
}

// end logs what was begun, and reads no more.
func (s *Stream) end() {
	if len(s.partial) > 0 {
		s.account.turn(s.c.now())
		s.line(s.partial)
		s.partial = nil
	}
	s.account.disown(s)
	delete(s.c.streams, int32(s.ours))
	s.closeOurs()
}

// take breaks what was read into lines.
func (s *Stream) take(b []byte) {
	s.account.turn(s.c.now())
	if s.account.full() {
		b = s.skip(b)
	}
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		room := lineMax - len(s.partial)
		switch {
		case end < 0 && len(b) < room:
			s.partial = append(s.partial, b...)
			return
		case end < 0 || end > room:
			s.finish(b[:room])
			b = b[room:]
		default:
			s.finish(b[:end])
			b = b[end+1:]
		}
	}
}

// finish ends the line that was begun.
func (s *Stream) finish(rest []byte) {
	if len(s.partial) == 0 {
		s.line(rest)
		return
	}
	s.partial = append(s.partial, rest...)
	s.line(s.partial)
	s.partial = s.partial[:0]
}

// skip counts lines that will not be logged, without looking into them: all but
// those that may be somebody's last words.
func (s *Stream) skip(b []byte) []byte {
	end := len(b)
	for range s.to.Keep + 1 {
		if end = bytes.LastIndexByte(b[:end], '\n'); end < 0 {
			return b
		}
	}
	s.account.lose(bytes.Count(b[:end+1], newline))
	s.partial = s.partial[:0]
	return b[end+1:]
}

var newline = []byte{'\n'}

// line logs one line, or counts it.
func (s *Stream) line(text []byte) {
	s.remember(text)
	if s.account.full() {
		s.account.lose(1)
		return
	}
	s.account.count++
	s.sink.log(&s.label, s.to, s.account.seen, text)
}

// remember keeps a line as last words.
func (s *Stream) remember(text []byte) {
	if s.to.Keep <= 0 || len(bytes.TrimSpace(text)) == 0 {
		return
	}
	if len(s.words) < s.to.Keep {
		s.words = append(s.words, nil)
		s.next = len(s.words) - 1
	}
	w := &s.words[s.next]
	*w = clean((*w)[:0], text[:min(len(text), wordsMax)])
	s.next = (s.next + 1) % s.to.Keep
	if len(s.words) < s.to.Keep {
		s.next = 0
	}
}

func (s *Stream) closeTheirs() {
	if s.theirs >= 0 {
		unix.Close(s.theirs)
		s.theirs = -1
	}
}

func (s *Stream) closeOurs() {
	if s.ours >= 0 {
		// Closing takes it out of the epoll set: nobody else has this end.
		unix.Close(s.ours)
		s.ours = -1
	}
}
