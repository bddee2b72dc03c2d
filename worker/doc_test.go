package worker_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestThePageIsEnough runs the program that docs/worker.md shows, as it is
// printed, under a master.
func TestThePageIsEnough(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	page, err := os.ReadFile("../docs/worker.md")
	must(t, err)
	_, program, ok := strings.Cut(string(page), "```perl\n")
	if !ok {
		t.Fatal("the page has no program")
	}
	program, _, _ = strings.Cut(program, "```")
	m := startMaster(t, "hello unix - n n - 2 hello\n")
	must(t, os.WriteFile(m.path("sbin/hello"), []byte(program), 0o755))
	for range 5 {
		m.hello()
	}
	must(t, m.cmd.Process.Signal(syscall.SIGHUP))
	for range 5 {
		m.hello()
	}
	if log, err := os.ReadFile(m.path("log")); err != nil || strings.Contains(string(log), "warning") {
		t.Errorf("log: %s %v", log, err)
	}
}

func (m *instance) hello() {
	m.t.Helper()
	k := m.private("hello")
	got, err := io.ReadAll(k.in)
	if err != nil || string(got) != "hello\n" {
		m.t.Fatal(fmt.Sprintf("answer %q", got), err)
	}
	k.close()
}
