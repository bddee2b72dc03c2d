package mastercf

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/plan"
)

// TestRubbish: a file that is no master.cf or main.cf at all is refused with a
// bounded number of lines.
func TestRubbish(t *testing.T) {
	rubbish := strings.Repeat("lorem ipsum dolor\n", 10_000)
	for _, file := range []string{"main.cf", "master.cf"} {
		texts := map[string]string{"main.cf": "", "master.cf": ""}
		texts[file] = rubbish
		config, diagnostics := loadTexts(t, t.TempDir(), texts["main.cf"], texts["master.cf"], nil)
		if !diagnostics.Failed() || config.Plan != nil {
			t.Errorf("%s: not refused", file)
		}
		if n := len(diagnostics); n > 2*toldMax {
			t.Errorf("%s: %d diagnostics", file, n)
		}
		found := false
		for _, d := range diagnostics {
			found = found || strings.Contains(d.What, "too many errors")
		}
		if !found {
			t.Errorf("%s: it is not told that the rest was not read", file)
		}
	}
}

// TestManyWarnings: they are counted, and stand in nobody's way.
func TestManyWarnings(t *testing.T) {
	var text strings.Builder
	for i := range 5 * toldMax {
		text.WriteString("twice = " + strings.Repeat("x", i) + "\n")
	}
	_, diagnostics := ParseMain("main.cf", text.String())
	if diagnostics.Failed() || len(diagnostics) != toldMax+1 {
		t.Fatalf("%d diagnostics", len(diagnostics))
	}
	if got, want := diagnostics[toldMax].What, "399 more warnings"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestManyContinuationLines: joining lines takes memory, and so time, in
// proportion to their length.
func TestManyContinuationLines(t *testing.T) {
	const lines = 20_000
	text := "name = x\n" + strings.Repeat(" lorem ipsum dolor sit amet\n", lines)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	params, diagnostics := ParseMain("main.cf", text)
	runtime.ReadMemStats(&after)
	if value, _ := params.Raw("name"); diagnostics.Failed() || len(value) < lines*20 {
		t.Fatalf("the value has %d bytes, %v", len(value), diagnostics)
	}
	if used := int(after.TotalAlloc - before.TotalAlloc); used > 40*len(text) {
		t.Errorf("%d bytes were used for %d", used, len(text))
	}
}

// TestNoServiceLeft: a file that was cut short ends nobody's mail service, but
// a new Postfix may begin with none.
func TestNoServiceLeft(t *testing.T) {
	dir := t.TempDir()
	running, _ := loadTexts(t, dir, "", "25 inet n - - - - p\n", nil)
	for _, text := range []string{"", "\n# nothing\n"} {
		if config, diagnostics := loadTexts(t, dir, "", text, nil); diagnostics.Failed() || len(config.Plan.Services) != 0 {
			t.Errorf("%q at start: %v", text, diagnostics)
		}
		_, diagnostics := loadTexts(t, dir, "", text, func(o *Options) { o.Running = running })
		if !diagnostics.Failed() || diagnostics[0].Severity != plan.Error {
			t.Errorf("%q on reload: %v", text, diagnostics)
		}
	}
}

// TestUnreadable: what would keep its reader waiting or never ends is refused,
// whatever it was a moment ago.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(dir, "huge")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, fileBytesMax+1); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	for _, path := range []string{fifo, huge, dir, "/dev/zero", filepath.Join(dir, "none")} {
		go func() {
			_, err := readRegular(path)
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s was read", path)
			}
		case <-time.After(await.Patience):
			t.Fatalf("%s keeps its reader waiting", path)
		}
	}
}
