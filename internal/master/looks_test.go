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
	if !l.add(ask{a, socket(1), true}) {
		t.Fatal("somebody is busy")
	}
	if l.add(ask{b, socket(2), false}) || l.add(ask{a, socket(3), false}) {
		t.Error("a second one is to run")
	}
	var told []ask
	l.run(func(made *ask) {
		if told = append(told, *made); len(told) == 1 && l.add(ask{a, socket(4), false}) {
			t.Error("a second one is to run")
		}
	})
	want := []ask{{a, socket(3), true}, {b, socket(2), false}, {a, socket(4), false}}
	same := func(x, y ask) bool {
		return x.service == y.service && slices.Equal(x.queues, y.queues) && x.tell == y.tell
	}
	if !slices.EqualFunc(told, want, same) {
		t.Errorf("%v, want %v", told, want)
	}
	if !l.add(ask{b, socket(2), false}) {
		t.Error("somebody is busy at the end")
	}
}
