package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// result is what one row has shown.
type result struct {
	row     row
	figures []*figure
	charts  []*chart
	// notes say what else is to be known about the numbers.
	notes []string
}

// figure is one number with a goal: a ratio of ours to a peer's, round by
// round, or, without a peer, a number of ours alone.
type figure struct {
	what string
	unit string
	ours []float64
	// peer is as long as ours.
	peer     []float64
	peerName string
	goal     goal
}

// goal is a bound for the median; the zero goal asks for nothing.
type goal struct {
	kind  goalKind
	bound float64
}

type goalKind uint8

const (
	noGoal goalKind = iota
	atMost
	atLeast
)

func (g goal) String() string {
	switch g.kind {
	case atMost:
		return "≤ " + short(g.bound)
	case atLeast:
		return "≥ " + short(g.bound)
	default:
		return "–"
	}
}

func (g goal) verdict(value float64) string {
	switch {
	case g.kind == noGoal:
		return "–"
	case g.kind == atMost && value <= g.bound, g.kind == atLeast && value >= g.bound:
		return "pass"
	default:
		return "**miss**"
	}
}

// values are what the goal is about: ratios, or numbers of ours.
func (f *figure) values() []float64 {
	if f.peer == nil {
		return f.ours
	}
	ratios := make([]float64, min(len(f.ours), len(f.peer)))
	for i := range ratios {
		ratios[i] = f.ours[i] / f.peer[i]
	}
	return ratios
}

// line is the figure for the terminal.
func (f *figure) line() string {
	s := spreadOf(f.values())
	text := f.what + ": "
	if f.peer != nil {
		text += fmt.Sprintf("%s / %s %s %s = ", short(median(f.ours)), f.peerName, short(median(f.peer)), f.unit)
	}
	return text + fmt.Sprintf("%s [%s–%s], goal %s: %s", short(s.median), short(s.low), short(s.high), f.goal, f.goal.verdict(s.median))
}

// spread is a median and the quartiles beside it.
type spread struct{ low, median, high float64 }

func spreadOf(values []float64) spread {
	return spread{quantile(values, 0.25), median(values), quantile(values, 0.75)}
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile interpolates between the two values that are nearest.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// short writes a number with three digits that count.
func short(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "?"
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// measures are the numbers of one turn, by name.
type measures map[string]float64

// subject is a contender that takes its turn.
type subject struct {
	name    string
	measure func() (measures, error)
}

// series are the numbers of all rounds.
type series struct{ values map[string][]float64 }

func (s *series) of(subject, measure string) []float64 { return s.values[subject+"\x00"+measure] }

// interleave gives each subject its turn, round after round. One more round
// before the first is for warming up and is not counted.
func interleave(rounds int, subjects []subject) (*series, error) {
	s := &series{values: map[string][]float64{}}
	for round := range rounds + 1 {
		for _, sub := range subjects {
			m, err := sub.measure()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", sub.name, err)
			}
			if round == 0 {
				continue
			}
			for name, v := range m {
				key := sub.name + "\x00" + name
				s.values[key] = append(s.values[key], v)
			}
		}
	}
	return s, nil
}
