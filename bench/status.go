package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// statusRecords is row 4.
func statusRecords(b *bench) (*result, error) {
	var turns []subject
	for _, name := range masters {
		in, err := b.tools.started(name, 1, "flood")
		if err != nil {
			return nil, err
		}
		defer in.stop()
		fd, err := dial(in.socket("s0"))
		if err != nil {
			return nil, err
		}
		defer unix.Close(fd)
		turns = append(turns, subject{name, func() (measures, error) { return b.floodOnce(in.pid, fd) }})
	}
	s, err := interleave(b.size.rounds, turns)
	if err != nil {
		return nil, err
	}
	return &result{
		figures: []*figure{
			{
				what: "status records", unit: "records/s", peerName: postfix, goal: goal{atLeast, 2.5},
				ours: s.of(brood, rate), peer: s.of(postfix, rate),
			},
			{
				what: "CPU of the master for a status record", unit: "µs", peerName: postfix, goal: goal{atMost, 0.6},
				ours: s.of(brood, "cpu"), peer: s.of(postfix, "cpu"),
			},
		},
		notes: []string{"One child reports taken and available in turn, as fast as they are read."},
	}, nil
}

// floodOnce is one turn: records a second, and microseconds of CPU for one.
func (b *bench) floodOnce(pid, fd int) (measures, error) {
	before, err := quietCPU(pid)
	if err != nil {
		return nil, err
	}
	took, err := flood(fd, b.size.records)
	if err != nil {
		return nil, err
	}
	after, err := quietCPU(pid)
	if err != nil {
		return nil, err
	}
	n := float64(b.size.records)
	return measures{
		rate:  n / took.Seconds(),
		"cpu": float64(after-before) / n / float64(time.Microsecond),
	}, nil
}

// quietCPU is what a process has used once it uses no more.
func quietCPU(pid int) (time.Duration, error) {
	const quiet = 20 * time.Millisecond
	last, err := cpuTime(pid)
	for err == nil {
		time.Sleep(quiet)
		now, failed := cpuTime(pid)
		if failed != nil || now == last {
			return now, failed
		}
		last = now
	}
	return 0, err
}
