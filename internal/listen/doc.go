// Package listen turns the endpoints of a plan into open sockets.
//
// Open makes one: bound, listening, non-blocking, close-on-exec. A Set holds
// all that are open and changes them in one transaction at reload. Waiting
// tells how many clients stand in a socket's queue, a Survey those of all sockets
// at once and for how long they have. Wake sends the byte with
// which Postfix wakes up a service.
//
// The package never accepts a client and never reads what a client sent: that
// is the worker's. It never blocks, but for Wake, which is bounded by
// WakeTimeout, and for the few milliseconds of a Survey's Look. It keeps no goroutine, never logs, and never changes the
// process's working directory, umask or ids.
//
// # Whose powers
//
// The folders private and public of a Postfix queue belong to the mail owner,
// who is not to be trusted with root's powers: he could put a symbolic link
// where a root process is about to work. Below a folder that is not root's,
// everything is therefore done with the file-system ids of the folder's owner,
// on a thread of its own, which has a umask of its own as well; what can be
// tricked then is no more than what the owner could do himself. A name is replaced only where a socket or a fifo
// stands, and modes and owners are set on an open handle of the file, never
// through its name.
//
// # Sharing of TCP ports
//
// As Postfix does, a TCP socket carries SO_REUSEPORT, for two reasons: after
// the manager was killed, children that still serve a client hold the old
// sockets, and the next manager must be able to start beside them; and at
// reload a narrower or wider address can be bound while the old one is still
// served. The price is that another process of the same user that also asks
// for it is let in; Socket.Shared tells when one was there first.
//
// # Errors
//
// Every failure is an *Error that names the step, the endpoint and the cause,
// and unwraps to the errno.
//
// # Bugs
//
// A unix socket whose path is longer than 107 bytes, or leads through a folder
// that the owner of the last one may not pass, is bound through
// /proc/self/fd, and its name in the kernel's lists is that one. A socket at
// which somebody else's program still listens is replaced, as by Postfix: it
// can't be told from the one that a killed manager's children hold. Two vsock
// endpoints that overlap can't be open at once, so a reload can't go from one
// to the other.
package listen
