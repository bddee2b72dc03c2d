// Package nofile remembers the limit of open descriptors that our process was
// born with.
//
// Go raises the soft limit to the hard one before main starts, for itself, and
// lowers it again in the processes that the standard library starts (see
// go.dev/issue/46279). Programs that use select(2) depend on that. The library
// does not tell what the old limit was, so this package looks before it is
// raised: it imports nothing, its path sorts before "syscall", and the language
// specification (Package initialization) has the first package in the order of
// import paths that waits for no other initialised first.
//
// It does nothing else, and it never fails: where the limit can't be read,
// nothing was raised, and [Restore] says so.
package nofile
