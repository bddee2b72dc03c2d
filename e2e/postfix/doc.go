// Package postfix holds the proof that Debian's Postfix runs under brood: its
// tests make a complete mail system of their own, start Debian's daemons under
// a given master, and look at it from outside, as an administrator or a client
// would.
//
// Every promise is a test that names the masters it holds for. The ones that
// say "stock" run under Debian's own master as well, so that they are known to
// describe Postfix and not only us; those are few by default, and all of them
// with BROOD_E2E_STOCK=all in the environment. What Postfix does differently on
// purpose is tested with brood alone. BROOD_E2E_MASTER names a master to test in
// the place of ours, which is otherwise built from the tree; Debian's own put
// there must fail all that we do differently.
//
// An instance has its own configuration, queue, data, daemons, log and ports on
// the loopback addresses, below one scratch directory. The machine's own mail
// system in /etc/postfix and /var/spool/postfix is never read as configuration
// and never changed, and the tests end no process but those of their own
// instances.
//
// They want root, the packages postfix, swaks, cpio and util-linux, and a
// loopback interface. Without them they fail and say so; nothing is left out
// silently. The one exception is the kernel's permission to make a private
// mount namespace, which postmulti's test cannot do without.
package postfix
