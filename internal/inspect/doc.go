// Package inspect looks at the machine as it is now, for what would make a
// service fail: a program, an interpreter, a shared library, a directory or a
// user that is not there, an address that somebody else has, a file that the
// service's user may not read, a limit that is reached. It is run by the
// operator's command, with the operator's rights, and never by the daemon.
//
// It only reads, and never fails: what it may not look at, it says nothing of.
// It runs one program, Postfix's postmap(1), where a daemon of Postfix died
// without a word. What it finds is from now; it may have changed since a
// failure. It knows permission bits, owners and groups, not access control
// lists, and the usual places of shared libraries, not LD_LIBRARY_PATH.
package inspect
