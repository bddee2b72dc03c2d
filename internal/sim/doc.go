// Package sim is a small world around the pools, for tests only: clients that
// come in bursts and give up, children that are slow, silent, lying, crashing
// or deaf to TERM, forks that fail, births that are answered late, pids that
// are used again, a clock that leaps, operators who reload, remove and pardon.
//
// A World is made from a seed and does the same on every run: it has its own
// source of chance, no clock, no goroutine, and its order never depends on a
// map. A seed that fails is the report of the fault.
//
// An Oracle watches every pool. It knows the rules that a pool has promised
// (no two watchers, the limit, no birth while throttled, every answer entered,
// nobody forgotten) and nothing of how the pool keeps them. The World adds what
// only the outside can see: that no client waits for ever while the service
// may have a child, and that nothing is left when everybody is gone.
//
// What goes wrong is a Failure: the seed, the broken rule, and the life of the
// pool as a story that package pool's own tests can tell again, shortened as
// far as it still breaks a rule.
package sim
