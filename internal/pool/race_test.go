//go:build race

package pool

// shortEvents and nativeEvents are how long the lives are that TestShortLives and
// TestNativeLives go through, from the start on. The race detector makes each step
// ten times as dear, and a life has one goroutine for it to look at: so it sees
// them one event shorter than a run without it.
const (
	shortEvents  = 7
	nativeEvents = 5
)
