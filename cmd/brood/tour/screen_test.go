package tour

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWrapKeepsEveryWordWithinTheWidth(t *testing.T) {
	for _, c := range []struct {
		text string
		want string
	}{
		{"", ""},
		{"one", "one"},
		{"one two three", "one two|three"},
		{"exactly8 x", "exactly8|x"},
		{"muchlongerthanaline x", "muchlong|erthanal|ine x"},
		{"ünï cödé", "ünï cödé"},
	} {
		got := wrap(c.text, 8)
		if strings.Join(got, "|") != c.want {
			t.Errorf("wrap(%q) = %q, want %q", c.text, got, c.want)
		}
		for _, line := range got {
			if utf8.RuneCountInString(line) > 8 {
				t.Errorf("wrap(%q): %q is too long", c.text, line)
			}
		}
	}
}

// TestLoggedShowsTheLine: all of a line of the log is shown but for the date,
// and the terminal gets no more than it can take.
func TestLoggedShowsTheLine(t *testing.T) {
	var out strings.Builder
	s := &screen{out: &out}
	s.logged(`2026-01-02T03:04:05.678+01:00 WARN process /a/rather/long/path/to/the/program pid 4711 exit status 1 and more service=greet`)
	want := "    | 03:04:05.678 WARN process /a/rather/long/path/to/the/program pid 4711\n" +
		"    |   exit status 1 and more\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	out.Reset()
	s.look = Look{Color: true, Unicode: true}
	s.logged("2026-01-02T03:04:05.678Z WARN x")
	if want := "    \x1b[2m│ \x1b[0m\x1b[33m03:04:05.678 WARN x\x1b[0m\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
