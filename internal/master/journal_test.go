package master

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
	"github.com/brood-project/brood/internal/scoreboard"
)

func (w *world) events(since uint64) []scoreboard.Event {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), await.Patience)
	defer cancel()
	events, _, err := w.m.Events(ctx, since, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return events
}

// happened waits for news until an event of a kind is told, and returns it.
func (w *world) happened(news <-chan struct{}, kind string) scoreboard.Event {
	w.t.Helper()
	timeout := time.After(await.Patience)
	for {
		events := w.events(0)
		for _, ev := range events {
			if ev.Kind == kind {
				return ev
			}
		}
		select {
		case <-news:
		case <-timeout:
			w.t.Fatalf("nothing %s: %+v", kind, events)
		}
	}
}

// TestEventsTellTheStory, in order, to whoever waits for news.
func TestEventsTellTheStory(t *testing.T) {
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 1}), serviceOf(t, "crash", "crash", pool.Policy{Limit: 1, Throttle: 600 * pool.Second}))
	news, cancel := w.m.Subscribe()
	defer cancel()
	if events := w.events(0); len(events) != 0 {
		t.Errorf("nothing has happened yet: %+v", events)
	}
	began := time.Now()
	c := w.served(w.connect("s"))
	born := w.happened(news, "born")
	if born.Service != "s" || int(born.PID) != c.pid || born.Seq != 1 || born.At < began.UnixNano()-int64(time.Second) || born.At > time.Now().UnixNano()+int64(time.Second) {
		t.Errorf("%+v", born)
	}
	w.order(c, "exit 7")
	if died := w.happened(news, "died"); int(died.PID) != c.pid || !strings.Contains(died.Text, "exit status 7") {
		t.Errorf("%+v", died)
	}
	w.connect("crash")
	if ev := w.happened(news, "throttled"); ev.Service != "crash" || !strings.Contains(ev.Text, "no worker is born until ") {
		t.Errorf("%+v", ev)
	}
	w.propose(serviceOf(t, "s", "obey", pool.Policy{Limit: 2}))
	w.happened(news, "reload")
	events := w.events(0)
	for i, ev := range events {
		if ev.Seq != uint64(i+1) || ev.Text == "" || ev.Kind == "" || i > 0 && ev.At < events[i-1].At {
			t.Errorf("event %d: %+v", i, ev)
		}
	}
	last := events[len(events)-1].Seq
	if rest := w.events(last - 1); len(rest) != 1 || rest[0].Seq != last || rest[0].At != events[len(events)-1].At {
		t.Errorf("behind %d there is %+v", last-1, rest)
	}
	if rest := w.events(last + 5); len(rest) != 0 {
		t.Errorf("from the future: %+v", rest)
	}
}

// TestAReaderThatDoesNotRead costs the loop nothing, and the ring keeps its length.
func TestAReaderThatDoesNotRead(t *testing.T) {
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 1}))
	stalled, cancelStalled := w.m.Subscribe()
	reads, cancelReads := w.m.Subscribe()
	const many = 3 * journalLength
	for i := range many {
		w.call(func() { w.m.journal.add(event{kind: eventLimit, at: w.m.now(), name: "s", n: int32(i)}) })
	}
	select {
	case <-reads:
	case <-time.After(await.Patience):
		t.Error("no news")
	}
	events := w.events(0)
	if len(events) != journalLength || events[0].Seq != many-journalLength+1 || events[journalLength-1].Seq != many {
		t.Errorf("%d events, %d to %d", len(events), events[0].Seq, events[len(events)-1].Seq)
	}
	if want := fmt.Sprintf("all %d workers", many-1); !strings.Contains(events[journalLength-1].Text, want) {
		t.Errorf("the last one is %+v", events[journalLength-1])
	}
	cancelReads()
	cancelReads()
	cancelStalled()
	if len(stalled) != 1 {
		t.Errorf("%d news wait", len(stalled))
	}
	if w.m.journal.readers.Load() != nil {
		t.Error("somebody is told who has gone")
	}
}

func TestEventsAllocateNothing(t *testing.T) {
	var j journal
	_, cancel := j.subscribe()
	defer cancel()
	for range journalLength {
		j.add(event{kind: eventBorn})
	}
	if n := testing.AllocsPerRun(1000, func() {
		j.add(event{kind: eventBorn, name: "s"})
		j.tell()
	}); n != 0 {
		t.Errorf("%v allocations for an event", n)
	}
}

// TestEveryEventHasWords.
func TestEveryEventHasWords(t *testing.T) {
	seen := map[string]bool{}
	for k := eventBorn; k <= eventStopping; k++ {
		ev := event{kind: k, text: "because", limit: limitBusy, n: 1}
		if k.String() == "" || ev.words(0) == "" || seen[k.String()] {
			t.Errorf("event %d: %q, %q", k, k.String(), ev.words(0))
		}
		seen[k.String()] = true
	}
}

// TestClientsThatNobodyCounted are not said to be none.
func TestClientsThatNobodyCounted(t *testing.T) {
	for _, c := range []struct {
		policy pool.Policy
		uses   uint32
		want   string
	}{
		{pool.Policy{}, 0, "exit status 1, after 60s and 0 clients"},
		{pool.Policy{Opaque: true}, 0, "exit status 1, after 60s"},
		{pool.Policy{Opaque: true}, 7, "exit status 1, after 60s and 7 clients"},
		{pool.Policy{Single: true}, 0, "exit status 1, after 60s"},
	} {
		ev := event{kind: eventDied, pid: 5, code: 1, span: 60 * pool.Second, uses: c.uses, of: &plan.Service{Policy: &c.policy}}
		if got := ev.words(0); got != "worker 5 ended: "+c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestRecorderInWords: what happened, and what was done about it.
func TestRecorderInWords(t *testing.T) {
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 1}))
	c := w.served(w.connect("s"))
	c.Close()
	w.scored("s", "it is done", func(sv *scoreboard.Service) bool { return sv.Job.Count == 1 })
	entries, err := w.m.Recorder(context.Background(), "s")
	if err != nil {
		t.Fatal(err)
	}
	story := ""
	for i, e := range entries {
		story += e.What + " -> " + e.Then + "\n"
		if i > 0 && e.At < entries[i-1].At || time.Since(time.Unix(0, e.At)) > time.Minute {
			t.Errorf("%+v", e)
		}
	}
	for _, part := range []string{
		"a client waits -> gave birth, leaves clients to the workers\n",
		fmt.Sprintf("worker %d was born (generation 1) -> \n", c.pid),
		fmt.Sprintf("worker %d took a client -> ", c.pid),
		fmt.Sprintf("worker %d is free -> ", c.pid),
	} {
		if !strings.Contains(story, part) {
			t.Errorf("the story has no %q:\n%s", part, story)
		}
	}
	if _, err := w.m.Recorder(context.Background(), "other"); err == nil {
		t.Error("the story of a service that does not exist")
	}
}

// TestEveryEventOfAPoolHasWords, and every action that an operator can see.
func TestEveryEventOfAPoolHasWords(t *testing.T) {
	for k := pool.Started; k <= pool.Yield; k++ {
		ev := pool.Event{Kind: k, PID: 5, Code: 1, Policy: &pool.Policy{}}
		if text := whatHappened(&ev); text == "" || strings.HasPrefix(text, "event ") {
			t.Errorf("event %v: %q", ev, text)
		}
	}
	if text := whatFollowed(1<<pool.Birth | 1<<pool.Arm); text != "gave birth" {
		t.Errorf("%q", text)
	}
}
