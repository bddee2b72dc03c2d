// Package pool is the policy of brood: when a child is born, when a birth is
// refused, when children are asked to leave and when they are made to. It is
// the process model of Postfix's master(8), and the native policies grown on
// the same stem, as one state machine without a clock and without a system.
//
// A Pool is the life of one service. The caller tells it what happened, one
// Event at a time, and gets back what to do, a list of Actions. Every Action
// that asks for something which can fail is answered by another Event, the
// failure included: a Birth is answered by Born or by Stillborn.
//
// The whole of it follows from one rule, which settle alone decides at the end
// of every step: the manager watches the listening sockets exactly while a
// client that comes could find nobody else to take it and a child may be born.
// Then, and only then, somebody has to give birth.
//
// The package never reads a file, opens a socket, starts a goroutine, looks at
// a clock, logs, or remembers anything outside the Pool. It panics when its own
// books do not balance, which is a bug in brood; what a child claims is never a
// reason to panic, because a child is not trusted.
package pool
