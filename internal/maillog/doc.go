// Package maillog holds the log/slog handlers of the manager.
//
// Two speak as Postfix does, because other programs read those lines: Syslog
// (a datagram to /dev/log) and Postlog (maillog_file: a datagram to postlogd,
// or the file itself while nobody reads the datagrams). To them the message of
// a record is the final text; attributes are for the native formats, NewText
// and JSON. Stderr writes Postfix's text without time and host, for a terminal.
//
// No handler ever blocks. A line that nobody takes waits in a buffer of
// pendingMax lines and is tried again, ever more rarely, up to retryMax apart; of more lines the
// oldest are dropped, counted, and the count is told once somebody listens
// again. While all is well no timer runs.
//
// Handle returns an error only when a line was dropped for good. Nothing here
// reads configuration, and nothing decides what is logged.
//
// A text longer than textMax bytes is cut, and bytes that could harm a
// terminal or forge a line are written as "?", as by Postfix; valid UTF-8
// stays.
package maillog
