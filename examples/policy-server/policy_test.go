package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// conversation is what a client sends and what was written back.
type conversation struct {
	*strings.Reader
	strings.Builder
}

func (c *conversation) Read(p []byte) (int, error)  { return c.Reader.Read(p) }
func (c *conversation) Write(p []byte) (int, error) { return c.Builder.Write(p) }
func (c *conversation) said() string                { return c.Builder.String() }

func TestAnswerAll(t *testing.T) {
	echo := func(r request) string { return "OK " + r["sender"] }
	good := "request=smtpd_access_policy\nsender=a=b@c\n\n"
	for _, c := range []struct{ name, in, out, err string }{
		{"two requests", good + good, "action=OK a=b@c\n\naction=OK a=b@c\n\n", ""},
		{"nothing", "", "", ""},
		{"cut off", good + "request=smtpd_access_policy\nsen", "action=OK a=b@c\n\n", "cannot read request: unexpected EOF"},
		{"no equal sign", "hello\n\n", "", `want NAME=VALUE, not "hello"`},
		{"another type", "request=other\n\n", "", `cannot answer request of type "other"`},
		{"too many", strings.Repeat("a=b\n", attributesMax+1), "", "too many attributes"},
		{"too long", strings.Repeat("x", lineMax+1), "", "buffer full"},
	} {
		talk := &conversation{Reader: strings.NewReader(c.in)}
		err := answerAll(talk, echo)
		if talk.said() != c.out {
			t.Errorf("%s: said %q, want %q", c.name, talk.said(), c.out)
		}
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
	}
}

func TestTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# who may\nbad@example.com REJECT go away\nexample.net\tDEFER\n192.0.2.1   OK\n")
	table, err := readTable(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ sender, recipient, client, want string }{
		{"Bad@Example.com", "x@y", "", "REJECT go away"},
		{"good@example.com", "x@example.net", "", "DEFER"},
		{"", "x@y", "192.0.2.1", "OK"},
		{"", "", "192.0.2.2", ""},
	} {
		got, _ := table.find(request{"sender": c.sender, "recipient": c.recipient, "client_address": c.client})
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	write("a REJECT\nb\n")
	if _, err := readTable(path); err == nil || !strings.HasSuffix(err.Error(), "table:2: an action is missing; write KEY ACTION") {
		t.Errorf("error %v", err)
	}
}

func TestLimit(t *testing.T) {
	start := time.Unix(1000, 0)
	l := newLimit(2, time.Minute)
	for i, want := range []bool{true, true, false} {
		if got := l.allow("a", start.Add(time.Duration(i)*time.Second)); got != want {
			t.Errorf("client a, number %d: %v", i, got)
		}
	}
	if !l.allow("b", start) {
		t.Error("client b pays for client a")
	}
	if !l.allow("a", start.Add(time.Minute)) {
		t.Error("the next window does not start anew")
	}
}
