package main

import (
	"fmt"
	"time"
)

// The numbers of row 7, in milliseconds.
const (
	startTime  = "start"
	reloadTime = "reload"
	removeTime = "remove"
)

// fewDescriptors is more than either master has open with one service. With
// thousands, ours has one for each and Postfix's three.
const fewDescriptors = 100

// startAndReload is row 7.
func startAndReload(b *bench) (*result, error) {
	var turns []subject
	for _, name := range masters {
		turns = append(turns, subject{name, func() (measures, error) { return b.lifeOf(name) }})
	}
	s, err := interleave(b.size.startRounds, turns)
	if err != nil {
		return nil, err
	}
	res := &result{notes: []string{
		"Start: until `master -w` returns. Reload: from SIGHUP until a service that is new in it, and last in master.cf, serves a client. " +
			"Removal: until also all descriptors of the services that are gone are closed, so that clients are refused. " +
			"Ours takes the names of the sockets away as well, beside that; Postfix's leaves them.",
	}}
	for _, f := range []struct{ measure, what string }{
		{startTime, "start until all sockets are bound, %d services"},
		{reloadTime, "reload of %d unchanged services"},
		{removeTime, "reload that removes %d services"},
	} {
		res.figures = append(res.figures, &figure{
			what: fmt.Sprintf(f.what, b.size.many), unit: "ms", peerName: postfix, goal: goal{atMost, 0.7},
			ours: s.of(brood, f.measure), peer: s.of(postfix, f.measure),
		})
	}
	return res, nil
}

// lifeOf starts a master, reloads it and takes its services away.
func (b *bench) lifeOf(name string) (measures, error) {
	in, err := b.tools.newInstance(name, b.size.many, "")
	if err != nil {
		return nil, err
	}
	defer in.stop()
	started, err := in.start()
	if err != nil {
		return nil, err
	}
	time.Sleep(b.size.settle)
	in.rows = append(in.rows, row0("marker", ""))
	reloaded, err := in.reloadUntil("marker", func() bool { return true })
	if err != nil {
		return nil, err
	}
	time.Sleep(b.size.settle)
	in.rows = []string{row0("other", "")}
	removed, err := in.reloadUntil("other", func() bool { return descriptors(in.pid) < fewDescriptors })
	return measures{
		startTime: milliseconds(started), reloadTime: milliseconds(reloaded), removeTime: milliseconds(removed),
	}, err
}

// reloadUntil reloads and returns how long it takes until a new service serves
// and something else holds too.
func (in *instance) reloadUntil(service string, holds func() bool) (time.Duration, error) {
	if err := in.reload(); err != nil {
		return 0, err
	}
	begun := time.Now()
	err := until("the service "+service, time.Millisecond, func() bool { return served(in.socket(service)) })
	if err == nil {
		err = until("the end of the reload", time.Millisecond, holds)
	}
	return time.Since(begun), err
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }
