package child

// move is one step of placing descriptors in the child. From equal to to means
// that the descriptor is there already and is to survive exec; from closed,
// that to is to be closed.
type move struct{ from, to int }

// closed stands for no descriptor.
const closed = -1

// arrangement puts moves into an order in which none overwrites a descriptor
// that a later one needs. The zero value is ready; it is kept for its memory.
type arrangement struct {
	source []int // source[i] is to become descriptor i
	list   []move
	needed []int // how many open moves read descriptor i, for i < len(source)
	ready  []int // targets that nobody needs any more
	left   int   // moves that are neither listed nor ready
}

// arrange fills the list. It is a topological order; a ring of descriptors
// that wait for one another is opened by setting one aside, above all others.
func (a *arrangement) arrange() {
	n := len(a.source)
	a.list, a.ready = a.list[:0], a.ready[:0]
	a.needed = append(a.needed[:0], make([]int, n)...)
	aside := n
	for i, from := range a.source {
		aside = max(aside, from+1)
		if from != i && from >= 0 && from < n {
			a.needed[from]++
		}
	}
	a.left = 0
	for i, from := range a.source {
		switch {
		case from == i:
			a.list = append(a.list, move{i, i})
		case a.needed[i] == 0:
			a.ready = append(a.ready, i)
		default:
			a.left++
		}
	}
	a.settle()
	for i := 0; a.left > 0; i++ {
		if a.needed[i] > 0 && a.source[i] != i {
			a.setAside(i, aside)
			aside++
			a.settle()
		}
	}
}

// settle lists what is ready, and what becomes so by it.
func (a *arrangement) settle() {
	for len(a.ready) > 0 {
		to := a.ready[len(a.ready)-1]
		a.ready = a.ready[:len(a.ready)-1]
		from := a.source[to]
		a.list = append(a.list, move{from, to})
		if from < 0 || from >= len(a.source) || from == a.source[from] {
			continue
		}
		if a.needed[from]--; a.needed[from] == 0 {
			a.ready = append(a.ready, from)
			a.left--
		}
	}
}

// setAside copies descriptor i to where nobody is in its way, for all that
// need it.
func (a *arrangement) setAside(i, aside int) {
	a.list = append(a.list, move{i, aside})
	for to, from := range a.source {
		if from == i {
			a.source[to] = aside
		}
	}
	a.needed[i] = 0
	a.ready = append(a.ready, i)
	a.left--
}
