package listen

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/brood-project/brood/internal/plan"
)

// BenchmarkWaitingUnix asks for one queue among a thousand sockets.
func BenchmarkWaitingUnix(b *testing.B) {
	dir := b.TempDir()
	var last *Socket
	for i := range 1000 {
		s, err := Open(unixEndpoint(filepath.Join(dir, strconv.Itoa(i))))
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		last = s
	}
	for b.Loop() {
		if _, err := last.Waiting(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPowers takes on the ids of a folder's owner, for which a thread is
// born.
func BenchmarkPowers(b *testing.B) {
	power := ids{uid: 4711, gid: 4711}
	for b.Loop() {
		if err := power.as(func() error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWakeUnix(b *testing.B) {
	e := unixEndpoint(filepath.Join(b.TempDir(), "s"))
	s, err := Open(plan.Endpoint{Network: e.Network, Path: e.Path, Mode: e.Mode, UID: -1, GID: -1, Backlog: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		if err := Wake(e, -1, -1); err != nil {
			b.Fatal(err)
		}
	}
}
