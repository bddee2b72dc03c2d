// Package ports finds TCP ports for tests that have another process listen.
//
// A port that the kernel picks is one that it gives to any client a moment later,
// and in the time until somebody listens there may be thousands of clients. Those
// of this package lie below the kernel's usual range, are free at every address
// when they are given, and are given once: tests of one program never get the
// same. Tests of two programs may, with one chance in twenty thousand.
//
// It is imported by tests and linked into no program, and has no error but one: the
// test fails if no port is free.
package ports

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
)

// Ports are taken from first on, so many; the kernel's begin at 32768, see ip(7).
const (
	first = 10_000
	many  = 20_000
)

// Programs begin at a place of their own and count on.
var (
	begin = rand.IntN(many)
	given atomic.Int32
)

// T is what is needed of a test: a *testing.T, a *testing.B, or a script's.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Free is a port at which nobody listens or receives datagrams, at any address.
func Free(t T) int {
	t.Helper()
	for range many {
		port := first + (begin+int(given.Add(1)))%many
		if unused(fmt.Sprintf(":%d", port)) {
			return port
		}
	}
	t.Fatalf("no port from %d to %d is free", first, first+many-1)
	return 0
}

func unused(address string) bool {
	stream, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer stream.Close()
	datagrams, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	datagrams.Close()
	return true
}
