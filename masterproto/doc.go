// Package masterproto holds the numbers and the record that Postfix's
// master(8) and its children agree on: which descriptor is what, what a child
// writes to tell idle from busy, and how the generation is spelled in the
// environment.
//
// Both ends import it: whoever gives birth to children that speak the protocol,
// and package worker, with which such children are written. docs/worker.md
// tells the same byte by byte, for other languages.
//
// The package is pure: it never opens, reads or writes a descriptor and never
// looks at the environment of the process. Parsers do not allocate when they
// succeed.
//
// Errors: ErrShort, ErrLong and ErrState say what is wrong with a status
// record, ErrGeneration with a generation. A record with any of them changes
// nothing that its reader knows; it is worth a warning that names the sender.
package masterproto
