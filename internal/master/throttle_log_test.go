package master

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// TestAThrottleIsToldAsThePolicyHasIt, however long the loop took to come to the
// line.
func TestAThrottleIsToldAsThePolicyHasIt(t *testing.T) {
	var log bytes.Buffer
	s := nativeOf(t, "web", "obey", plan.ProtocolNone, pool.Policy{Limit: 1})
	m, err := New(Options{First: &plan.Plan{}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer m.closeShared()
	m.at = m.now() - pool.Time(300*pool.Millisecond)
	held := &pool.Action{Kind: pool.Tell, Note: pool.NoteThrottled, At: m.at + pool.Time(400*pool.Millisecond)}
	for _, want := range []string{"no worker is born for 0.4s", "throttling for 0.4s"} {
		log.Reset()
		if strings.HasPrefix(want, "no") {
			m.tellNative(&service{plan: s}, held)
		} else {
			m.tellThrottled(&service{plan: s}, held)
		}
		if !strings.Contains(log.String(), want+",") && !strings.Contains(log.String(), want+" (") {
			t.Errorf("want %q, got %s", want, log.String())
		}
	}
}
