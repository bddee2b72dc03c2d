package master

import "github.com/brood-project/brood/internal/pool"

// timerHeap is the services that asked to be rung, nearest first. A service has
// one place at most and knows it.
type timerHeap struct{ heap []*service }

// next is when to ring first; 0 if never.
func (h *timerHeap) next() pool.Time {
	if len(h.heap) == 0 {
		return 0
	}
	return h.heap[0].ringAt
}

// due takes out the first service whose time has come; nil if there is none.
// Its pool knows that it was rung and asks anew.
func (h *timerHeap) due(now pool.Time) *service {
	if next := h.next(); next == 0 || next > now {
		return nil
	}
	s := h.heap[0]
	h.set(s, 0)
	return s
}

// set places, moves or, with 0, removes a service.
func (h *timerHeap) set(s *service, at pool.Time) {
	placed := s.ringAt != 0
	s.ringAt = at
	switch {
	case at == 0 && !placed:
	case at == 0:
		last := len(h.heap) - 1
		ix := s.ringIx
		h.swap(ix, last)
		h.heap[last] = nil
		h.heap = h.heap[:last]
		if ix < last {
			h.mend(ix)
		}
	case !placed:
		s.ringIx = len(h.heap)
		h.heap = append(h.heap, s)
		h.up(s.ringIx)
	default:
		h.mend(s.ringIx)
	}
}

func (h *timerHeap) mend(ix int) {
	h.up(ix)
	h.down(ix)
}

func (h *timerHeap) up(ix int) {
	for ix > 0 {
		parent := (ix - 1) / 2
		if h.heap[parent].ringAt <= h.heap[ix].ringAt {
			return
		}
		h.swap(ix, parent)
		ix = parent
	}
}

func (h *timerHeap) down(ix int) {
	for {
		least := ix
		for kid := 2*ix + 1; kid <= 2*ix+2 && kid < len(h.heap); kid++ {
			if h.heap[kid].ringAt < h.heap[least].ringAt {
				least = kid
			}
		}
		if least == ix {
			return
		}
		h.swap(ix, least)
		ix = least
	}
}

func (h *timerHeap) swap(i, j int) {
	h.heap[i], h.heap[j] = h.heap[j], h.heap[i]
	h.heap[i].ringIx, h.heap[j].ringIx = i, j
}
