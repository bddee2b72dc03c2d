// Package tour shows a newcomer what brood does, in about a dozen seconds and with
// nothing but a terminal: it starts a real broodd on its built-in service
// (internal/demo), connects real clients, lets a real worker crash, and tells
// what is seen and why.
//
// Every step waits for what it announces, with a deadline: a tour that cannot
// show something fails and says what. Nothing is scripted but the order of the
// steps and the pauses for reading.
//
// It uses one directory for temporary files and removes it, and it leaves no
// process behind, also when it is interrupted. It never listens on a network,
// never writes to a log of the machine, and needs no privilege.
package tour
