// Package plan holds what the operator wants: the services, where each
// listens, what program serves it, and by which policy its pool lives.
//
// It is the one noun that both file languages (mastercf and native) are
// translated into and that internal/master carries out. A plan is immutable
// once it is made: a reload makes another one and compares the two with Diff.
//
// The package never touches the system: no files, no sockets, no clock, no
// log. What is wrong in the operator's files is told as a Diagnostic, with the
// place and with what to write instead.
package plan
