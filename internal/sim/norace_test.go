//go:build !race

package sim_test

// eventsInCI is how many events the pools are told in an ordinary test run.
const eventsInCI = 2_000_000
