//go:build !race

package pool

// nativeEvents is how long the lives are that TestNativeLives goes through.
const nativeEvents = 6
