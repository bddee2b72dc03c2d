package plan_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brood-project/brood/internal/plan"
)

func services(keys ...string) *plan.Plan {
	p := &plan.Plan{}
	for _, k := range keys {
		p.Services = append(p.Services, &plan.Service{Key: k, Name: k})
	}
	return p
}

func TestDiffNamesEveryServiceOnceInOrder(t *testing.T) {
	var got []string
	for _, c := range plan.Diff(services("a", "b", "c"), services("c", "d", "b", "e")) {
		switch {
		case c.Old == nil:
			got = append(got, "+"+c.New.Key)
		case c.New == nil:
			got = append(got, "-"+c.Old.Key)
		default:
			got = append(got, "="+c.Old.Key)
			if c.Old.Key != c.New.Key {
				t.Errorf("%s was compared with %s", c.Old.Key, c.New.Key)
			}
		}
	}
	if diff := cmp.Diff([]string{"-a", "=b", "=c", "+d", "+e"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDiagnosticIsOneLineWithPlaceAndRemedy(t *testing.T) {
	for _, c := range []struct {
		d    plan.Diagnostic
		want string
	}{
		{plan.Diagnostic{What: "no such port"}, "no such port"},
		{plan.Diagnostic{Pos: plan.Pos{File: "master.cf"}, What: "cannot read"}, "master.cf: cannot read"},
		{
			plan.Diagnostic{Pos: plan.Pos{File: "master.cf", Line: 3}, What: "no such port", Instead: "write a number"},
			"master.cf:3: no such port; write a number",
		},
		{plan.Diagnostic{Pos: plan.Pos{File: "f", Line: 3, Col: 9}, What: "w"}, "f:3:9: w"},
	} {
		if got := c.d.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestDiagnosticsAreAnErrorOfAllLines(t *testing.T) {
	ds := plan.Diagnostics{{Severity: plan.Warning, What: "a"}, {Severity: plan.Error, What: "b"}}
	var err error = ds
	if err.Error() != "a\nb" || !ds.Failed() || (plan.Diagnostics{{Severity: plan.Warning}}).Failed() {
		t.Errorf("wrong: %q", err)
	}
	if got := plan.Diagnostics(nil); !errors.As(err, &got) {
		t.Error("cannot be told from other errors")
	}
}
