package scoreboard

import "testing"

func TestHistogram(t *testing.T) {
	var h Histogram
	for i := range HistogramSize - 1 {
		b := BucketBound(i)
		h.Add(b)
		if h.Buckets[i] != 1 {
			t.Errorf("a span of %d ns is not in bucket %d: %v", b, i, h.Buckets)
		}
		h.Add(b + 1)
		if h.Buckets[i+1] != 1 {
			t.Errorf("a span of %d ns is not in bucket %d: %v", b+1, i+1, h.Buckets)
		}
		h = Histogram{}
	}
	h.Add(-5)
	h.Add(1 << 62)
	if h.Buckets[0] != 1 || h.Buckets[HistogramSize-1] != 1 || h.Count != 2 || h.Sum != 1<<62 {
		t.Errorf("a clock that went back, and an age: %+v", h)
	}
	if BucketBound(HistogramSize-1) != -1 {
		t.Error("the last bucket has a bound")
	}
	if n := testing.AllocsPerRun(10, func() { h.Add(1e6) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
