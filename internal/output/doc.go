// Package output carries what workers write to their standard output and error
// to where the operator wants it: line by line, each with the service, the pid
// and the generation of its writer in front.
//
// A Collector gives every worker a pipe. One goroutine reads all of them; it
// waits for nothing but the pipes. Where lines go, another writes, and waits for
// the disk or for whoever reads. Between the two stands a queue of queueMax
// bytes.
//
// A worker is never kept waiting: what is too much is read, counted and
// forgotten. A service may have so many lines a second logged as its plan says;
// the count of the others is logged in their place. Lines that did not fit into
// a queue, or could not be written, are counted too, and the count is told once
// something can be written again; whoever has set Trouble is told at once. A line
// longer than lineMax bytes is broken. However much a worker writes, it holds no
// more memory than one line, its last words and its share of a queue.
//
// A pipe is read until the last process that has it closes it. Of those that
// workers have left behind, orphansMost of a service are read, and then the oldest
// is given up.
//
// The package never ends or starts a process, and never logs by itself. What
// could harm a terminal or forge a line is written as "?", or escaped in JSON.
//
// Bugs: the pipe is one for both descriptors, so that lines stay in order; which
// of the two a line was written to is not known.
package output
