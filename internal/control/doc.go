// Package control is the operator's socket, both ends of it: the server in the
// daemon and the client in the command. It speaks newline-delimited JSON over a
// unix-domain stream socket; docs/control.md is the protocol's specification.
//
// The server knows who asks from the kernel, never from what is asked, and looks
// up what that peer may do in one table. It answers when no descriptor is free,
// bounds how many ask at once, how long a request may be and how long an answer
// may take to be read. It never calls a request's handler for somebody who may
// not ask it, never keeps more than one answer in memory for a reader, and never
// wakes up while nobody asks.
//
// What goes wrong is an [Error] with a code for programs and a text for people,
// on both ends. The package logs nothing.
package control
