package main

import (
	"fmt"
	"time"
)

// memoryAtRest is row 5: one master after the other, so that none shares its
// pages with another of its kind.
func memoryAtRest(b *bench) (*result, error) {
	var turns []subject
	for _, services := range b.size.memory {
		for _, name := range masters {
			turns = append(turns, subject{at(name, services), func() (measures, error) {
				return b.settledMemory(name, services)
			}})
		}
	}
	s, err := interleave(min(3, b.size.startRounds), turns)
	if err != nil {
		return nil, err
	}
	res := &result{notes: []string{fmt.Sprintf("Proportional set size (smaps_rollup) %v after the start.", b.size.settle)}}
	for _, services := range b.size.memory {
		res.figures = append(res.figures, &figure{
			what: fmt.Sprintf("memory, %d services", services), unit: "MB",
			ours: s.of(at(brood, services), "pss"), peer: s.of(at(postfix, services), "pss"),
			peerName: postfix, goal: goal{atMost, 1.5},
		})
	}
	return res, nil
}

func (b *bench) settledMemory(name string, services int) (measures, error) {
	in, err := b.tools.started(name, services, "")
	if err != nil {
		return nil, err
	}
	defer in.stop()
	time.Sleep(b.size.settle)
	pss, err := memory(in.pid)
	return measures{"pss": pss / 1e6}, err
}

// wakeUps is row 6: both masters rest at the same time.
func wakeUps(b *bench) (*result, error) {
	pids := map[string]int{}
	for _, name := range masters {
		in, err := b.tools.started(name, b.size.many, "")
		if err != nil {
			return nil, err
		}
		defer in.stop()
		pids[name] = in.pid
	}
	time.Sleep(b.size.settle)
	before, err := switchesOf(pids)
	if err != nil {
		return nil, err
	}
	time.Sleep(b.size.rest)
	after, err := switchesOf(pids)
	if err != nil {
		return nil, err
	}
	return &result{
		figures: []*figure{{
			what: fmt.Sprintf("wake-ups at rest, %d services, %v", b.size.many, b.size.rest), unit: "",
			ours: []float64{after[brood] - before[brood]}, goal: goal{atMost, 3},
		}},
		notes: []string{fmt.Sprintf("Context switches of all threads, voluntary or not; Postfix's master: %.0f.", after[postfix]-before[postfix])},
	}, nil
}

func switchesOf(pids map[string]int) (map[string]float64, error) {
	counts := map[string]float64{}
	for name, pid := range pids {
		n, err := switches(pid)
		if err != nil {
			return nil, err
		}
		counts[name] = n
	}
	return counts, nil
}
