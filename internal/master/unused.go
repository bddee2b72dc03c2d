package master

import (
	"github.com/brood-project/brood/internal/child"
	"github.com/brood-project/brood/internal/pool"
)

// disuse is what closes descriptors that children on their way may be using.
type disuse struct {
	// births is how many had been begun when it was put off.
	births uint64
	close  func()
}

// tidyEvery is how often the loop looks whether children that it has begun have
// descriptors of their own by now, if nothing else gives it occasion to.
const tidyEvery = 10 * pool.Millisecond

// whenUnused calls f as soon as every child begun so far has descriptors of its
// own.
func (m *Master) whenUnused(f func()) {
	begun, settled := child.Tidy()
	if begun == settled {
		f()
		m.freed = m.figures.began
		return
	}
	m.unused = append(m.unused, disuse{begun, f})
}

// tidy closes what nobody can be using any more, and returns when to look again;
// 0 if there is no need.
func (m *Master) tidy() pool.Time {
	begun, settled := child.Tidy()
	n := 0
	for n < len(m.unused) && m.unused[n].births <= settled {
		m.unused[n].close()
		m.freed = m.figures.began
		n++
	}
	if m.unused = m.unused[n:]; len(m.unused) == 0 {
		m.unused = nil
	}
	if begun == settled {
		m.tidyAt = 0
	} else if m.tidyAt <= m.now() {
		m.tidyAt = m.now() + pool.Time(tidyEvery)
	}
	return m.tidyAt
}

// earlier is the earlier of two times, either of which may be 0 for never.
func earlier(a, b pool.Time) pool.Time {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
