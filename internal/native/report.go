package native

import (
	"fmt"
	"sort"

	"github.com/brood-project/brood/internal/plan"
)

// report collects what is wrong. The same kind of mistake at the same place is
// told once, so that a slip in a template is not told for each of its services.
type report struct {
	found plan.Diagnostics
	seen  map[mistake]bool
	// searches counts nearest-name searches, which cost more than the rest.
	searches int
}

// mistake identifies a diagnostic: where it is, and the format of its text.
type mistake struct {
	src  *source
	off  int
	what string
}

// errorf reports an error; the diagnostic that it returns, never nil, takes
// the advice on what to write instead.
func (r *report) errorf(at span, format string, args ...any) *advice {
	return r.add(plan.Error, at, format, args)
}

func (r *report) warnf(at span, format string, args ...any) *advice {
	return r.add(plan.Warning, at, format, args)
}

// advice is a diagnostic that waits for its second half.
type advice struct {
	r *report
	i int
}

// instead says what to write or do instead.
func (a *advice) instead(format string, args ...any) {
	if a.i >= 0 {
		a.r.found[a.i].Instead = shown(fmt.Sprintf(format, args...))
	}
}

func (r *report) add(sev plan.Severity, at span, format string, args []any) *advice {
	id := mistake{at.src, at.off, format}
	if r.full() || r.seen[id] {
		return &advice{r, -1}
	}
	if r.seen == nil {
		r.seen = make(map[mistake]bool)
	}
	r.seen[id] = true
	r.found = append(r.found, plan.Diagnostic{
		Severity: sev,
		Pos:      at.pos(),
		What:     shown(fmt.Sprintf(format, args...)),
		Length:   at.end - at.off,
	})
	return &advice{r, len(r.found) - 1}
}

// full tells whether nothing more would be told.
func (r *report) full() bool { return len(r.found) >= diagnosticsMax }

// failed tells whether an error was reported so far.
func (r *report) failed() bool { return r.found.Failed() }

// sorted is everything found, by file in the order of reading, then by place.
func (r *report) sorted(files []string) plan.Diagnostics {
	rank := make(map[string]int, len(files))
	for i, f := range files {
		rank[f] = i
	}
	ds := r.found
	sort.SliceStable(ds, func(i, j int) bool {
		a, b := ds[i].Pos, ds[j].Pos
		if rank[a.File] != rank[b.File] {
			return rank[a.File] < rank[b.File]
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Col < b.Col
	})
	if len(ds) >= diagnosticsMax {
		ds = append(ds, plan.Diagnostic{
			Severity: plan.Error,
			Pos:      plan.Pos{File: ds[len(ds)-1].Pos.File},
			What:     fmt.Sprintf("only the first %d mistakes are shown", diagnosticsMax),
			Instead:  "mend these and check again",
		})
	}
	return ds
}
