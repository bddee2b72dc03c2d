package listen

import (
	"errors"
	"os"
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

// BenchmarkChange opens a thousand sockets in somebody else's folder and takes
// them away again.
func BenchmarkChange(b *testing.B) {
	const owner = 4711
	dir := filepath.Join(b.TempDir(), "private")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, owner, owner)); err != nil {
		b.Fatal(err)
	}
	want := make([]plan.Endpoint, 1000)
	for i := range want {
		want[i] = unixEndpoint(filepath.Join(dir, strconv.Itoa(i)))
		want[i].UID, want[i].GID, want[i].AsOwner = owner, owner, true
	}
	s := &Set{}
	b.ReportAllocs()
	for b.Loop() {
		for _, endpoints := range [][]plan.Endpoint{want, nil} {
			c, errs := s.Prepare(endpoints)
			if len(errs) > 0 {
				b.Fatal(errs[0])
			}
			if err := c.Commit(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkPowers takes on the ids of a folder's owner and gives them back.
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
