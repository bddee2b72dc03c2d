//go:build !race

package pool

// shortEvents and nativeEvents are how long the lives are that TestShortLives and
// TestNativeLives go through, from the start on.
const (
	shortEvents  = 8
	nativeEvents = 6
)
