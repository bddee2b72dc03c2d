// Package master is the event loop: the one place that knows both the policy
// (internal/pool) and the system (internal/child, internal/listen).
//
// One goroutine owns all state: the services, their pools, the open sockets
// and one epoll set of listeners, status channels and deaths. Everything that
// happens reaches it as a message: readiness from the epoll set, signals, the
// ring of one timer, requests of the operator. Each becomes an event for a pool;
// what the pool answers is carried out at once, but for changes of who watches a
// socket, which are settled once for every batch of messages. Nothing in the
// loop waits for anything: a birth goes on without it, a wake-up and the reading
// of a new plan happen elsewhere and report back. When nothing happens, nothing
// runs.
//
// How a worker gets its sockets, and how it says whether it is busy, is its
// protocol's: each has a file, protocol_NAME.go. What workers write is read by
// internal/output, what is found in /proc by goroutines that report back.
//
// The loop accepts a connection only for a worker of the protocol inetd, right
// before its birth, never reads what a client sends, and never believes a child:
// what one says of itself counts only if the kernel names it, or a descendant of
// it, as the sender. A plan that cannot be carried out is refused whole,
// and the one before stays in force.
//
// Diagnostics: what a child does wrong is a warning; what the operator has to
// mend is an error that says where; books that do not balance are a panic.
package master
