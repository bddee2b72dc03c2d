// Package child gives birth to processes, signals them and buries them. It is
// the only place in brood that does any of the three.
//
// A birth is a clone that shares our memory and is not waited for: the new
// process runs in our memory until it has turned into the program, while we go
// on, and the kernel tells when it has left. What it does in
// between is decided beforehand, as a table of system calls (see steps.go),
// which a few lines of assembly work off (see vfork_amd64.s) and which stops at
// the first call that fails. So no memory is copied, no pipe is needed to tell
// what went wrong, and the child can write its own process id into the
// environment that it hands to the program.
//
// The child shares our descriptor table at first and gives up everything above
// a low mark in the same call that makes the table its own. What it needs from
// above the mark is put on a launch pad below it beforehand (see pad.go). A
// birth therefore costs the same with ten descriptors open and with ten
// thousand.
//
// # What it never does
//
// [Begin] never waits for a program, it never holds up the garbage collector
// while the kernel loads one, and [Reap] never buries a process that [Wait] is
// for. It knows no service, no limit and no log.
//
// # What its errors mean
//
// A *[StartError] names the step that failed and the errno. [Start] returns it,
// and leaves no process behind. [Begin] returns what fails before there is a
// child; what fails in the child is in the [Death] that Reap tells of.
//
// # Obligations of the caller
//
// The process that calls [Reap] starts no processes by other means (os/exec,
// syscall.ForkExec): their deaths would be shown as those of strangers.
// Descriptors that a [Spec] names stay open until [Tidy] says that they may be
// closed. A
// listening socket that is closed while a birth is in flight may live on until
// that program has been loaded, so take it out of the epoll set before closing.
//
// # Requirements
//
// Linux 5.9 or later for births that do not depend on the number of open
// descriptors (close_range); older kernels, and containers whose filter hides
// clone3 or close_range, get the same births at a higher price.
//
// # Known limits
//
// A birth with other credentials makes our process "not dumpable" (see
// prctl(2), PR_SET_DUMPABLE), as any vfork followed by setuid does. The kernel
// does it to protect the memory that both share for that moment.
package child
