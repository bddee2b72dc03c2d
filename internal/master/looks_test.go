package master

import (
	"runtime"
	"slices"
	"testing"

	"github.com/brood-project/brood/internal/listen"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// TestARushAsksForOneLook at each service, however many are born in it.
func TestARushAsksForOneLook(t *testing.T) {
	policy := pool.Policy{Limit: 1, Opaque: true, Wait: pool.Second}
	w := startNative(t, planOf(nativeOf(t, "web", "silent", plan.ProtocolNone, policy)))
	w.call(func() {
		before := runtime.NumGoroutine()
		for range 1000 {
			w.m.remember(w.m.services["web"])
		}
		if more := runtime.NumGoroutine() - before; more > 1 {
			t.Errorf("%d goroutines for the looks at one service", more)
		}
	})
}

// TestLooksInTheirTurn: who is to be told is told, by the last that was asked, and
// nobody is forgotten.
func TestLooksInTheirTurn(t *testing.T) {
	var l looks
	a, b := &service{}, &service{}
	socket := func(inode uint32) []listen.Queue { return []listen.Queue{{Inode: inode}} }
	if !l.add(ask{service: a, queues: socket(1), tell: true, pid: 7}) {
		t.Fatal("somebody is busy")
	}
	if l.add(ask{service: b, queues: socket(2), tell: false}) || l.add(ask{service: a, queues: socket(3), tell: false}) {
		t.Error("a second one is to run")
	}
	var told []ask
	l.run(func(made *ask) {
		if told = append(told, *made); len(told) == 1 && l.add(ask{service: a, queues: socket(4), tell: false}) {
			t.Error("a second one is to run")
		}
	})
	want := []ask{{service: a, queues: socket(3), tell: true, pid: 7}, {service: b, queues: socket(2)}, {service: a, queues: socket(4)}}
	same := func(x, y ask) bool {
		return x.service == y.service && slices.Equal(x.queues, y.queues) && x.tell == y.tell && x.pid == y.pid
	}
	if !slices.EqualFunc(told, want, same) {
		t.Errorf("%v, want %v", told, want)
	}
	if !l.add(ask{service: b, queues: socket(2), tell: false}) {
		t.Error("somebody is busy at the end")
	}
}
