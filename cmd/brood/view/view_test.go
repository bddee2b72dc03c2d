package view

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/brood-project/brood/internal/golden"
	"github.com/brood-project/brood/internal/scoreboard"
)

// example is the picture by which the scoreboard's own texts are tested.
func example(t *testing.T) *scoreboard.Picture {
	t.Helper()
	b, err := os.ReadFile("../../../internal/scoreboard/testdata/picture.json")
	if err != nil {
		t.Fatal(err)
	}
	p := &scoreboard.Picture{}
	if err := json.Unmarshal(b, p); err != nil {
		t.Fatal(err)
	}
	s := &p.Services[0]
	for k := range s.Counts.Clients {
		s.Wait.Add(int64(k) * 2_000)
		s.Job.Add(int64(k) * 900_000)
	}
	return p
}

// fits wants no line to be longer than the terminal is wide.
func fits(t *testing.T, width int, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
			t.Errorf("%d characters in a line of %d: %s", n, width, line)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, width := range []int{80, 140} {
		text := Status(example(t), Look{Width: width, Unicode: true}, false)
		fits(t, width, text)
		golden.Compare(t, fmt.Sprintf("testdata/status-%d.txt", width), text)
	}
	golden.Compare(t, "testdata/status-color.txt", Status(example(t), Look{Width: 80, Color: true, Unicode: true}, false))
	plain := Status(example(t), Look{Width: 80}, false)
	for _, r := range plain {
		if r > 126 {
			t.Errorf("%q is not ASCII", r)
		}
	}
	for width := 60; width < 250; width += 7 {
		fits(t, width, Status(example(t), Look{Width: width, Unicode: true}, false))
	}
}

func TestStatusShouts(t *testing.T) {
	p := example(t)
	p.Reload = &scoreboard.Reload{At: p.At - 5e9, Refused: []string{"/etc/brood/brood.toml:4:1: error: a service has no key \"max_uses\"; write max_use"}}
	p.Closing, p.Deadline, p.Stale = true, p.At+9e9, 7e9
	text := Status(p, Look{Width: 80, Unicode: true}, false)
	fits(t, 80, text)
	golden.Compare(t, "testdata/status-refused.txt", text)
}

// TestServiceThatDoesNotTell is not shown as one whose workers are known to be
// idle, and its command can be pasted into a shell.
func TestServiceThatDoesNotTell(t *testing.T) {
	p := &scoreboard.Picture{At: 9e9, Services: []scoreboard.Service{{
		Name: "web", Opaque: true, Idle: 2, Limit: 2, Queue: 3, QueueAge: 2e9,
		Command: []string{"/bin/sh", "-c", "exec ./web >&2"},
		Workers: []scoreboard.Worker{{PID: 5, State: "idle"}, {PID: 6, State: "idle"}},
	}}}
	golden.Compare(t, "testdata/service-opaque.txt", Service(p, &p.Services[0], Look{Width: 80, Unicode: true}))
}

// TestStatusOfMany counts those that rest.
func TestStatusOfMany(t *testing.T) {
	p := example(t)
	for i := range 500 {
		p.Services = append(p.Services, scoreboard.Service{Name: fmt.Sprintf("customer-%03d", i), Key: fmt.Sprint(i), Limit: 2})
	}
	golden.Compare(t, "testdata/status-many.txt", Status(p, Look{Width: 80, Height: 24, Unicode: true}, false))
	for _, text := range []string{
		Status(p, Look{Width: 80, Height: 24}, true), Status(p, Look{Width: 80}, false), Status(p, Look{Width: 80, Height: 600}, false),
	} {
		if strings.Count(text, "customer-") != 500 {
			t.Error("all are wanted, or there is room, and some are not shown")
		}
	}
}

func TestService(t *testing.T) {
	p := example(t)
	for _, width := range []int{80, 140} {
		for i := range p.Services {
			text := Service(p, &p.Services[i], Look{Width: width, Unicode: true})
			fits(t, width, text)
			if i == 0 || i == 2 && width == 80 {
				golden.Compare(t, fmt.Sprintf("testdata/service-%s-%d.txt", p.Services[i].Name, width), text)
			}
		}
	}
}

func TestOutcome(t *testing.T) {
	o := &scoreboard.Outcome{Kept: 12, Changes: []scoreboard.Change{
		{Service: "mail", Kind: "added", File: "brood.toml", Line: 31},
		{Service: "web", Kind: "changed", File: "brood.toml", Line: 4, Details: []string{"max_use: 100, was 50", "workers.max: 8, was 4"}, Restarts: true, Why: "command is another"},
		{Service: "old", Kind: "removed"},
	}, Warnings: []scoreboard.Diagnostic{{Text: "brood.toml:9:1: warning: nobody names the template base"}}}
	golden.Compare(t, "testdata/plan.txt", Outcome(o, Look{Width: 80}, false))
	o.Throttled = []string{"smtp"}
	golden.Compare(t, "testdata/reload.txt", Outcome(o, Look{Width: 80}, true))
	for done, want := range map[bool]string{false: "A reload would change nothing; 1 service stays as it is.\n", true: "Nothing has changed; 1 service stays as it is.\n"} {
		if got := Outcome(&scoreboard.Outcome{Kept: 1}, Look{Width: 80}, done); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestHostileText cannot reach the terminal.
func TestHostileText(t *testing.T) {
	p := example(t)
	p.Services[0].Name = "a\x1b[2Jb"
	p.Services[0].Workers[0].Status = "\x1b]0;title\x07"
	text := Status(p, Look{Width: 80}, false) + Service(p, &p.Services[0], Look{Width: 80})
	if strings.ContainsRune(text, '\x1b') || strings.ContainsRune(text, '\x07') {
		t.Errorf("an escape sequence gets through: %q", text)
	}
}
