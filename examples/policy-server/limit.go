package main

import (
	"sync"
	"time"
)

// limit counts what each client does in a fixed window of time. All counts are
// dropped when a window ends, which also bounds the memory.
type limit struct {
	most   int // 0: no limit
	window time.Duration

	mu     sync.Mutex
	counts map[string]int
	end    time.Time
}

func newLimit(most int, window time.Duration) *limit {
	return &limit{most: most, window: window, counts: map[string]int{}}
}

// allow counts one and tells whether it is within the limit.
func (l *limit) allow(client string, now time.Time) bool {
	if l.most == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !now.Before(l.end) {
		clear(l.counts)
		l.end = now.Add(l.window)
	}
	l.counts[client]++
	return l.counts[client] <= l.most
}
