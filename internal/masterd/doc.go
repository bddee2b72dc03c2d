// Package masterd is brood under the name of master(8): its command line, its
// place in the background, its two lock files, its words in the log. What it
// does with children and sockets is internal/master's, what it reads from
// main.cf and master.cf is internal/mastercf's.
//
// It keeps to what "postfix start", "postfix stop" and their like expect of the
// program: the options, the exit status, the pid file, the signals.
//
// Diagnostics go to the mail log and, where somebody sits at a terminal, to
// the standard error. The exit status is 0 when the job was done, 1 otherwise;
// on a TERM the process ends by that signal, as Postfix's does.
package masterd
