//go:build race

package pool

// nativeEvents is how long the lives are that TestNativeLives goes through; the
// race detector makes each of them ten times as dear.
const nativeEvents = 5
