// Package blackbox is the contract of brood as a drop-in for Postfix's
// master(8), checked from outside.
//
// The tests start a master binary on a scratch instance: its own configuration,
// queue and data directory, its own loopback address, and a daemon directory
// that holds only fake daemons. A fake daemon is the test binary itself, run
// under a daemon's name by the master; it tells the test what it was born with
// and then does, one by one, what the test tells it to do. Nothing of the
// master is linked, mocked or asked: what a test knows it learned from clients,
// children, the log, the file system and /proc.
//
// The same rows run against Debian's own master (TestMaster/stock/…) and
// against brood's (TestMaster/brood/…). Where brood means to differ there is a
// row with two expectations, the one of Postfix asserted on Postfix and ours
// asserted on ours. docs/compat.md is the table of all rows; TestCompatTable
// holds the two against each other.
//
// Two environment variables choose other binaries than the installed Postfix
// and a fresh build of cmd/broodd: BLACKBOX_STOCK and BLACKBOX_BROOD, each the
// path of a master.
//
// The package needs root (master refuses anybody else), Linux, an installed
// Postfix, and the ss(8), unshare(1) and prlimit(1) of every Debian. It never
// touches /etc/postfix, a running Postfix or any address but loopback, save
// that rows about wildcards listen on a free port of all addresses.
package blackbox
