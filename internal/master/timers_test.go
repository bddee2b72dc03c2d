package master

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/brood-project/brood/internal/pool"
)

// TestTimerHeapRingsTheNearestFirst compares the heap with a plain map.
func TestTimerHeapRingsTheNearestFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h timerHeap
		services := make([]*service, 8)
		for i := range services {
			services[i] = &service{}
		}
		want := map[*service]pool.Time{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s := services[rapid.IntRange(0, len(services)-1).Draw(t, "service")]
			at := pool.Time(rapid.IntRange(0, 20).Draw(t, "at"))
			h.set(s, at)
			delete(want, s)
			if at != 0 {
				want[s] = at
			}
			nearest := pool.Time(0)
			for _, at := range want {
				if nearest == 0 || at < nearest {
					nearest = at
				}
			}
			if h.next() != nearest {
				t.Fatalf("next is %d, want %d", h.next(), nearest)
			}
		}
		for last := pool.Time(0); ; {
			before := h.next()
			s := h.due(30)
			if s == nil {
				break
			}
			if before < last || want[s] != before {
				t.Fatalf("rang %d after %d, want %d", before, last, want[s])
			}
			last = before
			delete(want, s)
		}
		if len(want) != 0 {
			t.Fatalf("%d were never rung", len(want))
		}
	})
}

// BenchmarkRings moves the ring of one of a thousand services.
func BenchmarkRings(b *testing.B) {
	var h timerHeap
	services := make([]service, 1000)
	for i := range services {
		h.set(&services[i], pool.Time(i+1))
	}
	b.ReportAllocs()
	for at := pool.Time(1000); b.Loop(); at++ {
		h.set(&services[at%1000], at)
	}
}
