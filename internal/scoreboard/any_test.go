package scoreboard

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"
)

// TestAnyPicture draws all there is from pictures that nobody has thought of:
// every service has a state of the table, a reason when it is not ready, a story
// whose first sentence names it, and figures that a parser takes.
func TestAnyPicture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &Picture{At: moment, Started: moment - rapid.Int64Range(0, 9*day).Draw(t, "age"), Closing: rapid.Bool().Draw(t, "closing")}
		for range rapid.IntRange(0, 4).Draw(t, "services") {
			p.Services = append(p.Services, anyService(t))
		}
		for i := range p.Services {
			judged(t, p, &p.Services[i])
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		if _, err := parser.TextToMetricFamilies(strings.NewReader(Prometheus(p))); err != nil {
			t.Fatal(err)
		}
	})
}

func judged(t *rapid.T, p *Picture, s *Service) {
	state := s.State(p)
	if !slices.ContainsFunc(States, func(row struct {
		State   State
		Meaning string
		holds   func(*Service, *Picture) bool
	},
	) bool {
		return row.State == state
	}) {
		t.Fatalf("%q is no state", state)
	}
	health, reason := s.Health(p)
	if (health == Ready) != (reason == "") {
		t.Fatalf("%s because of %q", health, reason)
	}
	st := s.Why(p, []Finding{{About: "file", Wrong: rapid.Bool().Draw(t, "wrong"), Text: "A thing."}})
	if !strings.HasPrefix(st.Cause, s.Title(p)+" ") || !strings.HasSuffix(st.Cause, ".") || st.State != state || st.Health != health {
		t.Fatalf("%+v", st)
	}
	if health != Ready && strings.Contains(st.Cause, "nothing is wrong") {
		t.Fatalf("%s, and yet: %s", health, st.Cause)
	}
}

func anyService(t *rapid.T) Service {
	small := rapid.IntRange(0, 3)
	flag := func(name string) bool { return rapid.IntRange(0, 5).Draw(t, name) == 0 }
	s := Service{
		Name:  rapid.SampledFrom([]string{"web", "mail", "a\"b"}).Draw(t, "name"),
		Limit: small.Draw(t, "limit"), Starting: small.Draw(t, "starting"), Idle: small.Draw(t, "idle"), Busy: small.Draw(t, "busy"),
		Retiring: small.Draw(t, "retiring"), Deaf: small.Draw(t, "deaf"), Queue: small.Draw(t, "queue"),
		Opaque: flag("opaque"), Paused: flag("paused"), Draining: flag("draining"), Missing: flag("missing"), GaveUp: flag("gave up"),
		Probing: flag("probing"), Waiting: flag("waiting"), Removed: flag("removed"), Failures: small.Draw(t, "failures"),
	}
	s.Key = rapid.StringMatching("[a-z]{8}").Draw(t, "key")
	if flag("throttled") {
		s.ThrottledUntil = moment + second
	}
	if s.Queue > 0 {
		s.QueueAge = rapid.Int64Range(0, minute).Draw(t, "queue age")
	}
	if rapid.Bool().Draw(t, "failed") {
		s.Failure = anyDeath(t)
		s.Death = s.Failure
	}
	return s
}

func anyDeath(t *rapid.T) *Death {
	return &Death{
		At: moment - rapid.Int64Range(0, 3*minute).Draw(t, "ago"), PID: 7,
		Cause: rapid.SampledFrom([]string{
			"", "", "", "cannot exec /a: permission denied (it is a directory)", "cannot chdir /b: not a directory", "cannot", "cannot clone: x",
			"cannot setuid 3: operation not permitted", "cannot set nice value 3: permission denied",
		}).Draw(t, "cause"),
		Exit: rapid.SampledFrom([]int{0, 1, 126, 127, 255}).Draw(t, "exit"), Signal: rapid.IntRange(0, 64).Draw(t, "signal"),
		OutOfMemory: rapid.IntRange(0, 9).Draw(t, "memory") == 0,
		Limit:       rapid.SampledFrom([]string{"", "", "", "busy", "heartbeat", "start.timeout", "stop.timeout", "deaf", "new"}).Draw(t, "limit"),
		Words:       rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "words"),
	}
}
