// Package mastercf reads a Postfix configuration directory, main.cf and
// master.cf, and makes a plan of it: the same services, endpoints, argument
// vectors and environments that Postfix's own master(8) would make.
//
// Load does it all and tells everything that is wrong at once, as diagnostics
// with the place and with what to write instead. Where Postfix has a wording
// of its own for a fault, Diagnostic.Postfix holds it, exactly, because log
// readers know it; when Postfix would log several lines, they are separated by
// newlines. A diagnostic of severity Error means that there is no plan to carry
// out (Postfix would refuse to start); a Warning means that there is one.
//
// The package looks at files, users, host names, ports and network interfaces,
// all through functions that a caller may replace (Lookups). It never opens a
// socket that it keeps, never starts a process, never logs, never changes
// anything.
//
// The lower layers are usable alone: ParseMain and Params for main.cf with its
// $name expansion, ParseMaster and Row for master.cf.
//
// Sources: master(5), postconf(5), and the observed behaviour of Debian's
// postfix 3.7 (docs/design/003-mastercf.md says what was observed).
package mastercf
