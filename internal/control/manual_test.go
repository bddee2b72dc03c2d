package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/golden"
	"github.com/brood-project/brood/internal/scoreboard"
)

const manualFile = "../../docs/control.md"

// made matches a part of the page that is made from the code.
var made = regexp.MustCompile(`(?s)(<!-- made: (\w+) -->\n).*?(<!-- end -->\n)`)

// parts of the page, by the name in their first line.
func makers(t *testing.T) map[string]func() string {
	return map[string]func() string{
		"requests": requestsTable,
		"codes":    codesTable,
		"limits":   limitsTable,
		"request":  func() string { return fieldsTable(t, Request{}) },
		"response": func() string { return fieldsTable(t, Response{}) + fieldsTable(t, Error{}) },
		"answers":  func() string { return answersTables(t) },
	}
}

// TestManual holds docs/control.md to the code: every table in it is made from
// what decides.
func TestManual(t *testing.T) {
	page, err := os.ReadFile(manualFile)
	if err != nil {
		t.Fatal(err)
	}
	makers, seen := makers(t), map[string]bool{}
	got := made.ReplaceAllFunc(page, func(part []byte) []byte {
		pieces := made.FindSubmatch(part)
		name := string(pieces[2])
		seen[name] = true
		maker := makers[name]
		if maker == nil {
			t.Fatalf("nothing makes %q", name)
		}
		return bytes.Join([][]byte{pieces[1], []byte(strings.TrimSpace(maker())), []byte("\n"), pieces[3]}, nil)
	})
	for name := range makers {
		if !seen[name] {
			t.Errorf("the page has no %q", name)
		}
	}
	golden.Compare(t, manualFile, string(got))
}

func requestsTable() string {
	var b strings.Builder
	b.WriteString("| `do` | role | `service` | other fields | what it does | data of the answer |\n|---|---|---|---|---|---|\n")
	for _, r := range rules {
		role := r.role.String()
		if r.all != r.role {
			role = fmt.Sprintf("%s; %s for all services", r.role, r.all)
		}
		about := map[about]string{aboutNone: "no", aboutAny: "or all", aboutOne: "yes"}[r.about]
		var fields []string
		for _, f := range r.fields {
			fields = append(fields, "`"+f+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", r.do, role, about, strings.Join(fields, ", "), r.does, r.answers)
	}
	return b.String()
}

func codesTable() string {
	var b strings.Builder
	b.WriteString("| code | what it means |\n|---|---|\n")
	for _, c := range constantsOf("message.go", "Code") {
		fmt.Fprintf(&b, "| `%s` | %s |\n", c.value, c.comment)
	}
	return b.String()
}

func limitsTable() string {
	var b strings.Builder
	b.WriteString("| limit | |\n|---|---|\n")
	row := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", what, fmt.Sprintf(format, args...))
	}
	u := usualTimes
	row("a request, its newline included", "%d bytes", requestMost)
	row("the name of a service", "%d bytes", serviceMost)
	row("from a request's first byte to its newline", "%s", u.request)
	row("a connection on which nothing is asked", "%s", u.idle)
	row("reading one line of an answer", "%s", u.answer)
	row("connections at one time", "%d", connectionsMost)
	for _, role := range []Role{Read, Operate} {
		row(fmt.Sprintf("connections of one user with the role %s", role), "%d, and none while %d are open", shares[role].user, shares[role].all)
	}
	row("clients that wait to be let in; more wait in connect(2)", "%d", backlog)
	row("while brood has no descriptor left: a request on a new connection, one for each", "%s", u.reserve)
	row("when brood ends: for answers under way", "%s", u.farewell)
	return b.String()
}

func answersTables(t *testing.T) string {
	return fmt.Sprintf("A histogram has %d buckets: the first one counts spans of at most %d ns, each of the others those of at most twice as many"+
		" as the one before it, and the last one all that are longer.\n\n", scoreboard.HistogramSize, scoreboard.BucketBound(0)) +
		fieldsTable(t, Hello{}) + fieldsTable(t, Done{}) + fieldsTable(t, scoreboard.Picture{}) + fieldsTable(t, scoreboard.Entry{}) +
		fieldsTable(t, scoreboard.Event{}) + fieldsTable(t, scoreboard.Outcome{}) + fieldsTable(t, scoreboard.Progress{})
}

// TestExample runs the client in Python that is on the page.
func TestExample(t *testing.T) {
	page, err := os.ReadFile(manualFile)
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	if program == nil {
		t.Fatal("the page has no example in Python")
	}
	good := serve(t, Options{}, &handler{})
	bad := serve(t, Options{}, &handler{do: map[Verb]answering{VerbPicture: func(context.Context, *Request, func(any) error) (any, error) {
		return nil, errors.New("not today")
	}}})
	for path, want := range map[string]string{good: "web: 1 of 3 workers are busy\n", bad: "not today\n"} {
		out, err := exec.Command("python3", "-c", string(program[1]), path).CombinedOutput()
		if string(out) != want || (err == nil) != (path == good) {
			t.Errorf("%s, %v\nwanted %s", out, err, want)
		}
	}
}

// TestLinesOnThePage: each request and answer that the page shows is one.
func TestLinesOnThePage(t *testing.T) {
	page, err := os.ReadFile(manualFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^([→←]) (\{.*\})$`).FindAllSubmatch(page, -1)
	if len(lines) < 6 {
		t.Errorf("the page shows %d lines only", len(lines))
	}
	for _, l := range lines {
		if string(l[1]) == "→" {
			if p := parse(l[2]); p.wrong != nil {
				t.Errorf("%s: %v", l[2], p.wrong)
			}
			continue
		}
		var r Response
		if err := strictly(l[2], &r); err != nil || r.V != Version || r.OK == (r.Error != nil) {
			t.Errorf("%s: %v", l[2], err)
		}
	}
}
