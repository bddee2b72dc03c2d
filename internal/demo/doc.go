// Package demo is the service that broodd has built in for those who want to
// see it work before they write a line of configuration: one unix socket, a
// pool of at most three workers, a short throttle.
//
// Everything in it is real: the loop, the births, the sockets are those of any
// other service. Only the plan comes from here instead of a file, and all that
// it needs lies in one directory, which the caller made and removes.
//
// It never listens on a network, needs no privilege and writes nothing outside
// of its directory. An error means that the directory or the socket in it
// cannot be used.
package demo
