package maillog

// pendingMax is how many lines wait for somebody to listen.
const pendingMax = 1000

// ring holds the newest lines that could not be written yet.
type ring struct {
	lines [][]byte
	first int
	// lost counts the lines that were dropped and not yet told of.
	lost int
}

func (r *ring) len() int { return len(r.lines) - r.first }

// push keeps a copy of a line and drops the oldest when there are too many.
func (r *ring) push(line []byte) (dropped bool) {
	if r.len() >= pendingMax {
		r.pop()
		r.lost++
		dropped = true
	}
	r.lines = append(r.lines, append([]byte(nil), line...))
	return dropped
}

func (r *ring) peek() []byte { return r.lines[r.first] }

func (r *ring) pop() {
	r.lines[r.first] = nil
	r.first++
	switch {
	case r.first == len(r.lines):
		r.lines, r.first = nil, 0
	case r.first >= pendingMax:
		// Half of the slice is spent: move the rest to its front.
		n := copy(r.lines, r.lines[r.first:])
		clear(r.lines[n:])
		r.lines, r.first = r.lines[:n], 0
	}
}
