package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// manyChildren is row 8. Postfix's master takes its turn for comparison only.
func manyChildren(b *bench) (*result, error) {
	var turns []subject
	for _, name := range masters {
		turns = append(turns, subject{name, func() (measures, error) { return b.crowd(name) }})
	}
	s, err := interleave(min(3, b.size.startRounds), turns)
	if err != nil {
		return nil, err
	}
	n := b.size.children
	return &result{
		figures: []*figure{
			{
				what: fmt.Sprintf("memory of the master for a child, %d alive", n), unit: "kB",
				ours: s.of(brood, "memory"), goal: goal{atMost, 1},
			},
			{
				what: fmt.Sprintf("%d children killed at once, until the books are empty", n), unit: "s",
				ours: s.of(brood, "empty"), goal: goal{atMost, 1},
			},
			{
				what: "the same", unit: "s", ours: s.of(brood, "empty"),
				peer: s.of(postfix, "empty"), peerName: postfix,
			},
		},
		notes: []string{
			fmt.Sprintf("Postfix's master: %s kB for a child.", short(median(s.of(postfix, "memory")))),
			"The time runs from the first SIGKILL until no dead child is left and a new client is served.",
		},
	}, nil
}

// crowd fills a pool and empties it.
func (b *bench) crowd(name string) (measures, error) {
	in, err := b.tools.started(name, 1, "hold")
	if err != nil {
		return nil, err
	}
	defer in.stop()
	time.Sleep(b.size.settle)
	before, err := memory(in.pid)
	if err != nil {
		return nil, err
	}
	clients, err := holdClients(in.socket("s0"), b.size.children)
	defer closeAll(clients)
	if err != nil {
		return nil, err
	}
	time.Sleep(b.size.settle)
	after, err := memory(in.pid)
	if err != nil {
		return nil, err
	}
	pids := childrenOf(in.pid)
	if len(pids) < b.size.children {
		return nil, fmt.Errorf("%d children of %d clients", len(pids), b.size.children)
	}
	begun := time.Now()
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL) // of a child, which nobody else reaps
	}
	err = until("the dead to be buried", time.Millisecond, func() bool { return len(childrenOf(in.pid)) == 0 })
	if err == nil && !served(in.socket("s0")) {
		err = fmt.Errorf("no child is born any more")
	}
	return measures{
		"memory": (after - before) / 1e3 / float64(len(pids)),
		"empty":  time.Since(begun).Seconds(),
	}, err
}

// holdClients has so many children born, each for a client that stays.
func holdClients(socket string, n int) (clients []int, err error) {
	for range n {
		fd, err := dial(socket)
		if err != nil {
			return clients, err
		}
		clients = append(clients, fd)
		if err := readByte(fd); err != nil {
			return clients, err
		}
	}
	return clients, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
