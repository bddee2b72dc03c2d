package child

import (
	"slices"
	"testing"
)

// TestArrangeExhaustive places every vector of up to five files out of seven
// descriptors, and looks at the table that comes of it.
func TestArrangeExhaustive(t *testing.T) {
	var a arrangement
	for n := range 6 {
		files := make([]int, n)
		for i := range files {
			files[i] = closed
		}
		for done := false; !done; done = !increment(files, 6) {
			a.source = append(a.source[:0], files...)
			a.arrange()
			if got := carryOut(a.list); !placed(got, files) {
				t.Fatalf("files %v by moves %v become %v", files, a.list, got)
			}
		}
	}
}

// TestArrangeRing places files that all wait for one another.
func TestArrangeRing(t *testing.T) {
	a := arrangement{source: []int{1, 2, 0, 4, 3, 9}}
	files := slices.Clone(a.source)
	a.arrange()
	if got := carryOut(a.list); !placed(got, files) {
		t.Fatalf("moves %v make %v", a.list, got)
	}
	if len(a.list) != len(files)+2 {
		t.Errorf("%d moves for two rings and a file: %v", len(a.list), a.list)
	}
}

// increment counts through all vectors of closed to high; false at the end.
func increment(v []int, high int) bool {
	for i := range v {
		if v[i]++; v[i] <= high {
			return true
		}
		v[i] = closed
	}
	return false
}

// carryOut does the moves on a table whose descriptor i holds file i.
func carryOut(moves []move) map[int]int {
	table := map[int]int{}
	for i := range 10 {
		table[i] = i
	}
	kept := map[int]int{}
	for _, m := range moves {
		if m.from == closed {
			delete(table, m.to)
			delete(kept, m.to)
			continue
		}
		table[m.to] = table[m.from]
		kept[m.to] = table[m.to]
	}
	return kept
}

// placed tells whether each file is where it belongs. What is above them is
// closed afterwards.
func placed(table map[int]int, files []int) bool {
	for i, f := range files {
		got, open := table[i]
		if open != (f != closed) || open && got != f {
			return false
		}
	}
	return true
}
