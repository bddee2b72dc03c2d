// Package await has tests wait for what tells of itself by no event: a line in
// a file that another process writes, an entry in /proc that comes or goes, a
// queue of the kernel's that fills, a number that somebody else counts. It
// looks, and looks again.
//
// Where there is an event, wait for that: a channel, the end of a process, a
// connection that is accepted, an end of file. Those come at once and cost
// nothing while nothing happens; a look always comes a little late, and may
// miss what is true only for a moment.
//
// It is imported by tests and linked into no program. It holds no state, begins
// no goroutine, and has no error but one: the test fails with "waited in vain"
// after Patience.
package await

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Patience is how long a test waits for anything that must happen, looked for
// here or by a deadline of its own. It is generous because a loaded machine is
// not a fault; only a test that fails takes it to the end.
const Patience = 60 * time.Second

// A pause between two looks is pauseFirst, and doubles until it is pauseMost.
// Short ones have a short wait be short; longer ones leave the processors to
// whom the test waits for.
const (
	pauseFirst = time.Millisecond
	pauseMost  = 5 * time.Millisecond
)

// lastBytes is as much of a file as a failed test shows.
const lastBytes = 4000

// T is what is needed of a test: a *testing.T, a *testing.B, or a script that is
// made one. Its Fatalf does not return.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// That waits until ok tells that something has come true. It looks at once, and
// for the last time when Patience is over; then the test fails, and says what was
// waited for and what the evidence tells, which is not asked for before. A pause
// begins when a look has ended, so that one that takes long does not become all
// that the machine does.
func That(t T, what string, ok func() bool, evidence ...func() string) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for pause := pauseFirst; ; pause = min(2*pause, pauseMost) {
		last := time.Now().After(deadline)
		if ok() {
			return
		}
		if last {
			t.Fatalf("waited in vain: %s%s", what, told(evidence))
		}
		<-time.After(pause)
	}
}

// told is what the evidence says, below what was waited for.
func told(evidence []func() string) string {
	var b strings.Builder
	for _, tell := range evidence {
		b.WriteString("\n" + tell())
	}
	return b.String()
}

// Line waits until a file has a line with a text in it that is finished, and
// returns the first one, without its newline. The file need not be there yet.
func Line(t T, path, text string) (line string) {
	t.Helper()
	var content []byte
	var err error
	That(t, fmt.Sprintf("a line with %q in %s", text, path), func() (found bool) {
		content, err = os.ReadFile(path)
		line, found = finished(string(content), text)
		return found
	}, func() string {
		if err != nil {
			return err.Error()
		}
		return "it ends:\n" + string(content[max(0, len(content)-lastBytes):])
	})
	return line
}

// finished is the first line with the text in it that ends in a newline.
func finished(content, text string) (line string, found bool) {
	for line := range strings.Lines(content) {
		whole, ended := strings.CutSuffix(line, "\n")
		if ended && strings.Contains(whole, text) {
			return whole, true
		}
	}
	return "", false
}
