package scoreboard

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/brood-project/brood/internal/golden"
)

// example is the picture of testdata/picture.json, which has a bit of all.
func example(t *testing.T) *Picture {
	t.Helper()
	b, err := os.ReadFile("testdata/picture.json")
	if err != nil {
		t.Fatal(err)
	}
	p := &Picture{}
	if err := json.Unmarshal(b, p); err != nil {
		t.Fatal(err)
	}
	for i := range p.Services {
		s := &p.Services[i]
		for k := range s.Counts.Clients {
			s.Wait.Add(int64(k) * millisecond)
			s.Job.Add(int64(k) * 30 * millisecond)
		}
	}
	p.Loop.Turn.Add(40_000)
	return p
}

// TestPrometheus has the exposition read by those who made the format.
func TestPrometheus(t *testing.T) {
	p := example(t)
	text := Prometheus(p)
	golden.Compare(t, "testdata/picture.prom", text)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
	births, waits := 0.0, uint64(0)
	for _, m := range families["brood_births_total"].GetMetric() {
		births += m.GetCounter().GetValue()
	}
	for _, m := range families["brood_wait_seconds"].GetMetric() {
		h := m.GetHistogram()
		waits += h.GetSampleCount()
		if last := h.GetBucket()[len(h.GetBucket())-1]; last.GetCumulativeCount() != h.GetSampleCount() {
			t.Errorf("the last bucket counts %d of %d", last.GetCumulativeCount(), h.GetSampleCount())
		}
	}
	wantBirths, wantWaits := 0.0, uint64(0)
	for i := range p.Services {
		wantBirths += float64(p.Services[i].Counts.Births)
		wantWaits += p.Services[i].Counts.Clients
	}
	if births != wantBirths || waits != wantWaits {
		t.Errorf("%v births, want %v; %v waits, want %v", births, wantBirths, waits, wantWaits)
	}
}

// TestPrometheusOfNothing is a daemon without services, and with names that
// would break the format.
func TestPrometheusOfNothing(t *testing.T) {
	nasty := "a\"b\\c\nd\xff"
	for _, p := range []*Picture{
		{},
		{Source: nasty, Services: []Service{{Name: nasty, Key: "1"}, {Name: nasty, Key: "2", Listen: []Address{{Address: nasty}}}}},
	} {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(Prometheus(p)))
		if err != nil {
			t.Fatal(err)
		}
		for name, f := range families {
			seen := map[string]bool{}
			for _, m := range f.GetMetric() {
				if text := m.String(); seen[text] {
					t.Errorf("%s has a series twice: %s", name, text)
				} else {
					seen[text] = true
				}
			}
		}
	}
}
