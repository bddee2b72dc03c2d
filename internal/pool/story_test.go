package pool_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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
			t.Run(filepath.Base(file)+"/"+strings.TrimPrefix(title, "== "), func(t *testing.T) {
				got := tell(t, tale)
				told += got
				if got != tale && !*rewrite {
					t.Errorf("%s: the story went differently:\n%s", file, differ(tale, got))
				}
			})
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
	pool   *pool.Pool
	gens   pool.Generations
	policy pool.Policy
	now    pool.Time
	armed  pool.Time
	births []uint32         // not answered yet, oldest first
	gen    map[int32]uint32 // of the last child with that pid
	quiet  bool
}

// tell goes through a story line by line: what is indented was done by the
// pool, and is written anew; what is not is told to it.
func tell(t *testing.T, story string) string {
	tl := &teller{t: t, now: storyEpoch, gen: make(map[int32]uint32)}
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
		tl.policy = tl.parsePolicy(pool.Policy{}, rest)
		tl.pool = pool.New(tl.policy, &tl.gens)
		tl.armed, tl.births = 0, nil
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
		case pool.Arm:
			tl.armed = a.At
		}
		if a.At != 0 {
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
	if v.Watching {
		tl.out.WriteString(" watching")
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
}

// parseEvent understands the words of pool.Event.String, and shorter ones
// where a story would say too much.
func (tl *teller) parseEvent(verb string, rest []string) pool.Event {
	ev := pool.Event{Kind: tl.kind(verb)}
	f := tl.fields(rest)
	switch verb {
	case "client":
		ev.N = int32(f["n"])
	case "record":
		ev.PID, ev.Generation, ev.State, ev.Sender = int32(f["pid"]), uint32(f["gen"]), int32(f["state"]), int32(f["sender"])
	case "taken", "available":
		ev.PID, ev.State = tl.pid(rest), pool.StateTaken
		ev.Generation, ev.Sender = tl.gen[ev.PID], ev.PID
		if verb == "available" {
			ev.State = pool.StateAvailable
		}
	case "born", "stillborn":
		ev.Generation = tl.answer(f)
		if verb == "born" {
			ev.PID = tl.pid(rest)
			tl.gen[ev.PID] = ev.Generation
			break
		}
		ev.Code = int32(f["errno"])
	case "died":
		ev.PID = tl.pid(rest)
		switch {
		case len(rest) == 3 && rest[1] == "exit":
			ev.Code = int32(tl.number(rest[2]))
		case len(rest) == 3 && rest[1] == "signal":
			ev.Code = -int32(tl.number(rest[2]))
		default:
			tl.t.Fatalf("cannot read %q: want died PID exit N, or died PID signal N", rest)
		}
	case "looked":
		ev.N = int32(tl.number(rest[0]))
	case "reload":
		if len(rest) > 0 && rest[0] == "to" {
			tl.policy, rest = pool.Policy{}, rest[1:]
		}
		tl.policy = tl.parsePolicy(tl.policy, rest)
		p := tl.policy
		ev.Policy = &p
	}
	return ev
}

func (tl *teller) kind(verb string) pool.EventKind {
	switch verb {
	case "start":
		return pool.Started
	case "client":
		return pool.ClientWaits
	case "record", "taken", "available":
		return pool.Reported
	case "born":
		return pool.Born
	case "stillborn":
		return pool.Stillborn
	case "died":
		return pool.Died
	case "tick":
		tl.armed = 0
		return pool.Ticked
	case "looked":
		return pool.Looked
	case "reload":
		return pool.Replanned
	case "remove":
		return pool.Removed
	case "pardon":
		return pool.Pardoned
	}
	tl.t.Fatalf("cannot understand %q", verb)
	return 0
}

// answer is the birth that is answered: the one named, or the oldest.
func (tl *teller) answer(f map[string]int64) uint32 {
	for i, g := range tl.births {
		if want, named := f["gen"]; !named || g == uint32(want) {
			tl.births = append(tl.births[:i:i], tl.births[i+1:]...)
			return g
		}
	}
	tl.t.Fatal("nobody asked for this birth")
	return 0
}

// parsePolicy changes those parts of a policy that are named.
func (tl *teller) parsePolicy(p pool.Policy, words []string) pool.Policy {
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "limit":
			p.Limit = int(tl.number(value))
		case "ramp":
			p.Ramp = int(tl.number(value))
		case "throttle":
			p.Throttle = tl.span(value)
		case "wakeup":
			p.Wakeup = tl.span(value)
		case "kill-after":
			p.KillAfter = tl.span(value)
		case "patience":
			p.Patience = tl.span(value)
		case "wakeup-on-use":
			p.WakeupOnUse = true
		case "stress":
			p.Stress = true
		case "no-stress":
			p.Stress = false
		default:
			tl.t.Fatalf("cannot understand %q in a policy", w)
		}
	}
	return p
}

func (tl *teller) fields(words []string) map[string]int64 {
	f := make(map[string]int64)
	for _, w := range words {
		if name, value, ok := strings.Cut(w, "="); ok && !strings.HasSuffix(value, "s") {
			f[name] = tl.number(value)
		}
	}
	return f
}

func (tl *teller) pid(words []string) int32 {
	if len(words) == 0 {
		tl.t.Fatal("a pid is missing")
	}
	return int32(tl.number(words[0]))
}

func (tl *teller) number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		tl.t.Fatalf("cannot read a number: %v", err)
	}
	return n
}

// span reads seconds, such as "60s" or "0.25s".
func (tl *teller) span(s string) pool.Duration {
	f, err := strconv.ParseFloat(strings.TrimSuffix(s, "s"), 64)
	if err != nil {
		tl.t.Fatalf("cannot read a span: %v", err)
	}
	return pool.Duration(f * float64(pool.Second))
}
