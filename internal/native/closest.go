package native

import "strings"

// closest is the name that is most like the one written, "" when none is near
// enough to have been meant.
func (r *report) closest(written string, names []string) string {
	if len(written) > nameBytesMax || r.searches >= suggestionsMax {
		return ""
	}
	r.searches++
	best, bestCost := "", 1+max(1, len(written)/3)
	for _, name := range names {
		if diff := len(name) - len(written); diff >= bestCost || -diff >= bestCost {
			continue
		}
		if cost := distance(strings.ToLower(written), name); cost < bestCost {
			best, bestCost = name, cost
		}
	}
	return best
}

// distance is the least number of letters to insert, leave out, exchange, or
// swap with their neighbour, that makes one word of the other.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
