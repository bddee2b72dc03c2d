package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// The channel of one service holds somewhat more records than recordsWaiting:
// each takes 768 bytes of its 208 kB in the kernel.
const (
	recordsWaiting = 200
	channelsMost   = 400
)

// statusRecords is row 4. A single child that reports as fast as it can says as
// much about write(2) as about the master; so the records that count wait in
// many channels already, and nobody writes while the master reads.
func statusRecords(b *bench) (*result, error) {
	channels := max(1, min(channelsMost, b.size.records/recordsWaiting))
	var turns []subject
	for _, name := range masters {
		in, err := b.tools.started(name, channels, "flood")
		if err != nil {
			return nil, err
		}
		defer in.stop()
		fds, err := in.floods(channels)
		defer closeAll(fds)
		if err != nil {
			return nil, err
		}
		turns = append(turns,
			subject{name, func() (measures, error) { return in.backlog(fds) }},
			subject{name + oneChild, func() (measures, error) { return b.floodOnce(in.pid, fds[0]) }},
		)
	}
	s, err := interleave(b.size.rounds, turns)
	if err != nil {
		return nil, err
	}
	res := &result{notes: []string{fmt.Sprintf(
		"The master is stopped, %d children of as many services write %d records each (taken and available in turn), and the time runs "+
			"from when it may go on until it rests. One child: it writes as fast as it can, and is the limit where the master is faster.",
		channels, recordsWaiting)}}
	for _, suffix := range []string{"", oneChild} {
		goals := []goal{{atLeast, 2.5}, {atMost, 0.6}}
		if suffix != "" {
			goals = []goal{{}, {}}
		}
		res.figures = append(res.figures, &figure{
			what: "status records" + suffix, unit: "records/s", peerName: postfix, goal: goals[0],
			ours: s.of(brood+suffix, rate), peer: s.of(postfix+suffix, rate),
		}, &figure{
			what: "CPU of the master for a status record" + suffix, unit: "µs", peerName: postfix, goal: goals[1],
			ours: s.of(brood+suffix, "cpu"), peer: s.of(postfix+suffix, "cpu"),
		})
	}
	return res, nil
}

// oneChild marks what one child does alone.
const oneChild = ", one child"

// floods has a child of each service wait for what it is to write.
func (in *instance) floods(services int) (fds []int, err error) {
	for i := range services {
		fd, err := dial(in.socket(fmt.Sprint("s", i)))
		if err != nil {
			return fds, err
		}
		fds = append(fds, fd)
	}
	for _, fd := range fds {
		if _, err := flood(fd, 2); err != nil {
			return fds, err
		}
	}
	return fds, nil
}

// backlog is one turn: the master finds records in all channels.
func (in *instance) backlog(fds []int) (measures, error) {
	if err := unix.Kill(in.pid, unix.SIGSTOP); err != nil {
		return nil, err
	}
	defer func() { _ = unix.Kill(in.pid, unix.SIGCONT) }()
	if err := until("the master to stop", time.Millisecond, func() bool { return stopped(in.pid) }); err != nil {
		return nil, err
	}
	for _, fd := range fds {
		if _, err := flood(fd, recordsWaiting); err != nil {
			return nil, err
		}
	}
	before, err := cpuTime(in.pid)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := unix.Kill(in.pid, unix.SIGCONT); err != nil {
		return nil, err
	}
	took, used, err := busyTime(in.pid, begun, before)
	n := float64(len(fds) * recordsWaiting)
	return measures{rate: n / took.Seconds(), "cpu": float64(used) / n / float64(time.Microsecond)}, err
}

// busyTime waits until a process uses no more, and tells when that began and how
// much it has used since it had used before.
func busyTime(pid int, begun time.Time, before time.Duration) (took, used time.Duration, err error) {
	const quiet, step = 30 * time.Millisecond, 200 * time.Microsecond
	last, changed := before, begun
	for time.Since(changed) < quiet || last == before {
		time.Sleep(step)
		now, err := cpuTime(pid)
		if err != nil {
			return 0, 0, err
		}
		if now != last {
			last, changed = now, time.Now()
		}
		if time.Since(begun) > patience {
			return 0, 0, fmt.Errorf("process %d does not rest", pid)
		}
	}
	return changed.Sub(begun), last - before, nil
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
