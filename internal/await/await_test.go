package await

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a test that may fail.
type fake struct {
	said string
}

func (*fake) Helper() {}

// Fatalf ends the goroutine, as that of testing does.
func (f *fake) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// try has a test wait, and returns what it failed with and how long it took. The
// time is that of a bubble: it goes on when all wait.
func try(t *testing.T, wait func(T)) (said string, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		f, done, began := &fake{}, make(chan struct{}), time.Now()
		go func() {
			defer close(done)
			wait(f)
		}()
		<-done
		said, took = f.said, time.Since(began)
	})
	return said, took
}

// after is true from the look of that number on, counted from 1.
func after(looks int) func() bool {
	return func() bool {
		looks--
		return looks <= 0
	}
}

func TestThatLooksAtOnceAndAgain(t *testing.T) {
	for _, c := range []struct {
		looks int
		want  time.Duration
	}{
		{1, 0},
		{2, pauseFirst},
		{3, 3 * pauseFirst},
		{5, 7*pauseFirst + pauseMost},
		{1000, 7*pauseFirst + 996*pauseMost},
	} {
		if said, took := try(t, func(f T) { That(f, "it", after(c.looks)) }); said != "" || took != c.want {
			t.Errorf("true at look %d: %q after %v, want %v", c.looks, said, took, c.want)
		}
	}
}

func TestThatLosesPatience(t *testing.T) {
	never := func() bool { return false }
	tell := func(text string) func() string { return func() string { return text } }
	for want, evidence := range map[string][]func() string{
		"waited in vain: the moon":                     nil,
		"waited in vain: the moon\nthe log":            {tell("the log")},
		"waited in vain: the moon\nthe log\nthe queue": {tell("the log"), tell("the queue")},
	} {
		said, took := try(t, func(f T) { That(f, "the moon", never, evidence...) })
		if said != want || took <= Patience || took > Patience+pauseMost {
			t.Errorf("%q after %v, want %q after %v", said, took, want, Patience)
		}
	}
}

// TestTheLastLookIsALateOne has the machine stand still during a look for longer
// than any patience: what has come true meanwhile is found.
func TestTheLastLookIsALateOne(t *testing.T) {
	looks := 0
	said, _ := try(t, func(f T) {
		That(f, "it", func() bool {
			if looks++; looks == 1 {
				<-time.After(2 * Patience)
			}
			return looks == 2
		})
	})
	if said != "" {
		t.Error(said)
	}
}

// TestEvidenceIsForFailures has none be asked for when all is well.
func TestEvidenceIsForFailures(t *testing.T) {
	That(t, "it", after(3), func() string {
		t.Error("the evidence is asked for")
		return ""
	})
}

func TestLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	fails := func(text, want string) {
		t.Helper()
		if said, _ := try(t, func(f T) { Line(f, path, text) }); said != fmt.Sprintf("waited in vain: a line with %q in %s\n%s", text, path, want) {
			t.Errorf("said %q, want %q at its end", said, want)
		}
	}
	fails("two", "open "+path+": no such file or directory")
	write("one\ntwo of th")
	fails("two", "it ends:\none\ntwo of th")
	write("em\ntwo more\n")
	if line := Line(t, path, "two"); line != "two of them" {
		t.Errorf("%q is not the first line of two", line)
	}
	if line := Line(t, path, ""); line != "one" {
		t.Errorf("%q is not the first line", line)
	}
	write(strings.Repeat("x", lastBytes))
	fails("three", "it ends:\n"+strings.Repeat("x", lastBytes))
}

// TestLineThatComesLater has the file be made while somebody waits for it.
func TestLineThatComesLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	said, took := try(t, func(f T) {
		time.AfterFunc(time.Second, func() {
			if err := os.WriteFile(path, []byte("here\n"), 0o600); err != nil {
				t.Error(err)
			}
		})
		if line := Line(f, path, "he"); line != "here" {
			t.Errorf("line %q", line)
		}
	})
	if said != "" || took < time.Second || took > time.Second+2*pauseMost {
		t.Errorf("%q after %v", said, took)
	}
}
