package scoreboard

import "math/bits"

// Histogram counts spans by their length, in steps that double. Its zero value
// is empty, and adding to it allocates nothing.
type Histogram struct {
	// Buckets[i] counts the spans of at most BucketBound(i); the last one counts
	// all that are longer.
	Buckets [HistogramSize]uint64 `json:"buckets"`
	Count   uint64                `json:"count"`
	Sum     int64                 `json:"sum"`
}

// HistogramSize is the number of buckets. The shortest bound is about 0.03 ms,
// the longest about 9 minutes.
const HistogramSize = 26

// bucketShift makes the first bound 2^15 ns.
const bucketShift = 15

// BucketBound is the longest span that bucket i counts, in nanoseconds; the last
// bucket has none, and -1 is returned.
func BucketBound(i int) int64 {
	if i >= HistogramSize-1 {
		return -1
	}
	return 1 << (bucketShift + i)
}

// Add counts a span.
func (h *Histogram) Add(span int64) {
	span = max(span, 0)
	i := 0
	if span > 0 {
		i = max(0, bits.Len64(uint64(span-1))-bucketShift)
	}
	h.Buckets[min(i, HistogramSize-1)]++
	h.Count++
	h.Sum += span
}

// Quantile is a length that the share q of all spans, from 0 to 1, does not
// exceed, as exact as the buckets are; 0 if there is none.
func (h *Histogram) Quantile(q float64) int64 {
	below := uint64(0)
	for i, n := range h.Buckets {
		below += n
		if n > 0 && float64(below) >= q*float64(h.Count) {
			if bound := BucketBound(i); bound >= 0 {
				return bound
			}
			return BucketBound(HistogramSize - 2)
		}
	}
	return 0
}
