//go:build race

package sim_test

// eventsInCI is how many events the pools are told in an ordinary test run; the
// race detector makes each of them ten times as dear and there is only one
// goroutine for it to look at.
const eventsInCI = 200_000
