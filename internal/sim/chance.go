package sim

import "github.com/brood-project/brood/internal/pool"

// chance is the world's only source of chance: SplitMix64, so that a seed means
// the same with every release of Go. See Steele, Lea and Flood, "Fast Splittable
// Pseudorandom Number Generators", OOPSLA 2014.
type chance struct{ state uint64 }

func (c *chance) next() uint64 {
	c.state += 0x9e3779b97f4a7c15
	z := c.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a number from 0 to n-1.
func (c *chance) below(n int) int { return int(c.next() % uint64(n)) }

// oneIn is true once in n times.
func (c *chance) oneIn(n int) bool { return c.below(n) == 0 }

// upTo is a span from 0 to most, short ones being more frequent.
func (c *chance) upTo(most pool.Duration) pool.Duration {
	scale := uint64(c.below(8))
	return pool.Duration(c.next()%uint64(most)) >> scale
}
