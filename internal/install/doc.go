// Package install puts broodd in the place of Postfix's master(8) and takes it
// away again.
//
// Postfix's own master stays beside it as master.distrib. Where dpkg owns the
// file, dpkg is told (dpkg-divert(1)), so that an upgrade of the package renews
// the one that was set aside and leaves ours alone. Each change is one rename
// or one link: at every moment there is a complete master in its place, and a
// run that was cut short is finished or taken back by the next.
//
// Nothing is changed before broodd has shown, on a scratch instance with a
// queue of its own, that it runs with the installed daemons. The operator's
// queue and configuration are only read, but for what "postfix check" itself
// mends. A running Postfix is stopped and started only on request.
//
// An error means that nothing is left half done: what had been changed has been
// taken back, or the error says what could not be. A Refusal means that nothing
// was tried.
package install
