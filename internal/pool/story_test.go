package pool_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/pool"
)

var rewrite = flag.Bool("rewrite", false, "write what happens into the stories in testdata; read the difference before you believe it")

// TestStories tells every story in testdata and compares what the pool does
// with what is written there. testdata/README.md is the grammar.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot find the stories: %v", err)
	}
	stories := 0
	titles := make(map[string]bool)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, tales := splitStories(string(raw))
		told := head
		for _, tale := range tales {
			stories++
			title, _, _ := strings.Cut(tale, "\n")
			if titles[title] {
				t.Errorf("%s: two stories are called %q", file, title)
			}
			titles[title] = true
			got := tale // one that cannot be read, or is not to be told now, stays
			t.Run(filepath.Base(file)+"/"+strings.TrimPrefix(title, "== "), func(t *testing.T) {
				got = tell(t, tale)
				if got != tale && !*rewrite {
					t.Errorf("%s: the story went differently:\n%s", file, differ(tale, got))
				}
			})
			told += got
		}
		if *rewrite && told != string(raw) {
			if err := os.WriteFile(file, []byte(told), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if stories < 40 {
		t.Errorf("%d stories, want at least 40", stories)
	}
}

// splitStories cuts a file at the titles; head is what stands before the first.
func splitStories(file string) (head string, stories []string) {
	for _, line := range strings.SplitAfter(file, "\n") {
		switch {
		case strings.HasPrefix(line, "== "):
			stories = append(stories, line)
		case len(stories) == 0:
			head += line
		default:
			stories[len(stories)-1] += line
		}
	}
	return head, stories
}

// differ marks the lines in which two tellings differ.
func differ(want, got string) string {
	var b strings.Builder
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for len(w) > 0 || len(g) > 0 {
		switch {
		case len(w) > 0 && len(g) > 0 && w[0] == g[0]:
			fmt.Fprintf(&b, "  %s\n", w[0])
			w, g = w[1:], g[1:]
		case len(w) > 0 && strings.HasPrefix(w[0], "\t"):
			fmt.Fprintf(&b, "- %s\n", w[0])
			w = w[1:]
		case len(g) > 0:
			fmt.Fprintf(&b, "+ %s\n", g[0])
			g = g[1:]
		default:
			fmt.Fprintf(&b, "- %s\n", w[0])
			w = w[1:]
		}
	}
	return b.String()
}

// storyEpoch is the pool's time at which every story begins; stories count
// from there.
const storyEpoch = pool.Time(1_000_000 * pool.Second)

// teller tells one story: it is the system around the pool, as small as it can
// be.
type teller struct {
	t      *testing.T
	out    strings.Builder
	named  map[string]*telling
	shared map[string]*pool.Ceiling
	*telling
	gens  pool.Generations
	now   pool.Time
	gen   map[int32]uint32 // of the last child with that pid
	quiet bool
}

// telling is what is kept of one pool of a story.
type telling struct {
	name   string
	pool   *pool.Pool
	policy pool.Policy
	asked  int32 // who the last look was about
	armed  pool.Time
	births []uint32 // not answered yet, oldest first
}

// tell goes through a story line by line: what is indented was done by the
// pool, and is written anew; what is not is told to it.
func tell(t *testing.T, story string) string {
	tl := &teller{
		t: t, now: storyEpoch, gen: make(map[int32]uint32),
		named: make(map[string]*telling), shared: make(map[string]*pool.Ceiling), telling: new(telling),
	}
	for _, line := range strings.SplitAfter(story, "\n") {
		if strings.HasPrefix(line, "\t") {
			continue
		}
		tl.out.WriteString(line)
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "==") {
			continue
		}
		tl.command(words)
	}
	return tl.out.String()
}

func (tl *teller) command(words []string) {
	verb, rest := words[0], words[1:]
	switch {
	case verb == "policy":
		tl.telling = &telling{policy: tl.parsePolicy(pool.Policy{}, rest)}
		tl.pool = pool.New(tl.policy, &tl.gens)
	case verb == "name":
		tl.name = rest[0]
		tl.named[tl.name] = tl.telling
		tl.join(rest[1:])
	case verb == "at":
		tl.telling = tl.named[strings.TrimSuffix(rest[0], ":")]
		tl.command(rest[1:])
	case verb == "ceiling":
		tl.shared[rest[0]] = pool.NewCeiling(int(tl.number(rest[1])))
	case verb == "view":
		tl.view()
	case verb == "child":
		tl.child(tl.pid(rest))
	case verb == "flight":
		tl.flight()
	case verb == "repeat":
		tl.repeat(tl.number(rest[0]), rest[1:])
	case strings.HasPrefix(verb, "+"):
		tl.pass(tl.span(verb[1:]))
	case verb == "leap":
		tl.now += pool.Time(tl.span(rest[0]))
	case verb == "back":
		tl.now -= pool.Time(tl.span(rest[0]))
	default:
		tl.step("", tl.parseEvent(verb, rest))
	}
}

// step tells the pool one event and writes down what it does. The system keeps
// in mind what it needs for the events to come.
func (tl *teller) step(when string, ev pool.Event) {
	for _, a := range tl.pool.Step(tl.now, ev) {
		switch a.Kind {
		case pool.Birth:
			tl.births = append(tl.births, a.Generation)
		case pool.Look:
			tl.asked = max(tl.asked, a.PID)
		case pool.Arm:
			tl.armed = a.At
		case pool.Offer, pool.Ask:
			if !tl.quiet {
				fmt.Fprintf(&tl.out, "\t%s%s %s\n", when, a, tl.nameOf(a.Pool))
			}
			continue
		}
		if a.At != 0 && a.Kind != pool.Stop && a.Kind != pool.Terminate {
			a.At -= storyEpoch
		}
		if !tl.quiet {
			fmt.Fprintf(&tl.out, "\t%s%s\n", when, a)
		}
	}
}

// pass lets time go by, and rings whenever the pool has asked for it.
func (tl *teller) pass(d pool.Duration) {
	end := tl.now + pool.Time(d)
	for tl.armed != 0 && tl.armed <= end {
		tl.now, tl.armed = max(tl.now, tl.armed), 0
		when := ""
		if tl.now < end {
			when = fmt.Sprintf("at %s: ", pool.Duration(tl.now-storyEpoch))
		}
		tl.step(when, pool.Event{Kind: pool.Ticked})
	}
	tl.now = end
}

// repeat tells events, parted by semicolons, many times and writes nothing
// down.
func (tl *teller) repeat(n int64, words []string) {
	tl.quiet = true
	defer func() { tl.quiet = false }()
	for range n {
		for _, part := range strings.Split(strings.Join(words, " "), ";") {
			tl.command(strings.Fields(part))
		}
	}
}

// join puts the pool at hand under ceilings.
func (tl *teller) join(ceilings []string) {
	var under []*pool.Ceiling
	for _, name := range ceilings {
		under = append(under, tl.shared[name])
	}
	for _, p := range tl.pool.Join(under...) {
		fmt.Fprintf(&tl.out, "\toffer %s\n", tl.nameOf(p))
	}
}

func (tl *teller) nameOf(p *pool.Pool) string {
	for name, other := range tl.named {
		if other.pool == p {
			return name
		}
	}
	return "?"
}

func (tl *teller) view() {
	v := tl.pool.View()
	fmt.Fprintf(&tl.out, "\tavailable=%d taken=%d leaving=%d deaf=%d starting=%d limit=%d", v.Available, v.Taken, v.Leaving, v.Deaf, v.Starting, v.Limit)
	for _, f := range []struct {
		name  string
		until pool.Time
	}{{"throttled", v.Throttled}, {"stress", v.Stress}} {
		if f.until != 0 {
			fmt.Fprintf(&tl.out, " %s-until=%s", f.name, pool.Duration(f.until-storyEpoch))
		}
	}
	for _, f := range []struct {
		name string
		n    int
	}{{"replacing", v.Replacing}, {"worn", v.Worn}, {"failures", v.Failures}} {
		if f.n > 0 {
			fmt.Fprintf(&tl.out, " %s=%d", f.name, f.n)
		}
	}
	for _, f := range []struct {
		name string
		is   bool
	}{
		{"opaque", v.Opaque},
		{"probing", v.Probing},
		{"gave-up", v.GaveUp},
		{"paused", v.Paused},
		{"draining", v.Draining},
		{"waiting", v.Waiting},
		{"watching", v.Watching},
	} {
		if f.is {
			tl.out.WriteString(" " + f.name)
		}
	}
	tl.out.WriteString("\n")
}

func (tl *teller) child(pid int32) {
	c, ok := tl.pool.Child(pid)
	if !ok {
		fmt.Fprintf(&tl.out, "\tno child %d\n", pid)
		return
	}
	fmt.Fprintf(&tl.out, "\t%s gen=%d uses=%d since=%s\n", c.State, c.Generation, c.Uses, pool.Duration(c.Since-storyEpoch))
}

func (tl *teller) flight() {
	entries, total := tl.pool.Recorder().Entries()
	fmt.Fprintf(&tl.out, "\t%d of %d\n", len(entries), total)
	if len(entries) > 12 {
		entries = append(entries[:3], entries[len(entries)-3:]...)
	}
	for _, e := range entries {
		fmt.Fprintf(&tl.out, "\t%s %s:", pool.Duration(e.At-storyEpoch), e.Event)
		for _, k := range actionKinds {
			if e.Actions.Has(k.kind) {
				tl.out.WriteString(" " + k.name)
			}
		}
		tl.out.WriteString("\n")
	}
}

var actionKinds = []struct {
	kind pool.ActionKind
	name string
}{
	{pool.Watch, "watch"},
	{pool.Unwatch, "unwatch"},
	{pool.Birth, "birth"},
	{pool.Terminate, "TERM"},
	{pool.Kill, "KILL"},
	{pool.Arm, "arm"},
	{pool.Wake, "wake"},
	{pool.Rotate, "rotate"},
	{pool.Look, "look"},
	{pool.Tell, "tell"},
	{pool.Gone, "gone"},
	{pool.Retire, "retire"},
	{pool.Stop, "stop"},
	{pool.Snapshot, "snapshot"},
	{pool.Measure, "measure"},
	{pool.Offer, "offer"},
	{pool.Ask, "ask"},
}
