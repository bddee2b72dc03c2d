package sim_test

import (
	"flag"
	"reflect"
	"testing"

	"github.com/brood-project/brood/internal/sim"
)

var (
	seed   = flag.Uint64("seed", 1, "the seed of the first world; the others follow")
	events = flag.Int64("events", eventsInCI, "how many events the pools are told in all")
	world  = flag.Int64("world", 50_000, "how many of them in one world")
)

// TestWorlds lets worlds live until their pools have been told enough events,
// and ends each. To see one failure again:
//
//	go test ./internal/sim -run Worlds -seed N -events 1
//
// which runs the world of that seed alone.
func TestWorlds(t *testing.T) {
	var told int64
	var tally sim.Tally
	n := *seed
	for ; told < *events; n++ {
		w := sim.New(n)
		f := w.Run(*world)
		if f == nil {
			f = w.End()
		}
		if f != nil {
			t.Fatal(f)
		}
		told += w.Events()
		add(&tally, w.Tally())
	}
	t.Logf("%d events, seeds %d to %d: %+v", told, *seed, n-1, tally)
	if *events < eventsInCI {
		return
	}
	for i, v := 0, reflect.ValueOf(tally); i < v.NumField(); i++ {
		if v.Field(i).Int() == 0 {
			t.Errorf("%s never happened in these worlds", v.Type().Field(i).Name)
		}
	}
}

// add adds one tally to another.
func add(sum *sim.Tally, t sim.Tally) {
	s, v := reflect.ValueOf(sum).Elem(), reflect.ValueOf(t)
	for i := range s.NumField() {
		s.Field(i).SetInt(s.Field(i).Int() + v.Field(i).Int())
	}
}

// TestSameSeedSameWorld holds the world to its promise: without it a seed is no
// report.
func TestSameSeedSameWorld(t *testing.T) {
	live := func() sim.Tally {
		w := sim.New(7)
		if f := w.Run(20_000); f != nil {
			t.Fatal(f)
		}
		return w.Tally()
	}
	if a, b := live(), live(); a != b {
		t.Errorf("the same seed went two ways:\n%+v\n%+v", a, b)
	}
}
