// Package worker is for writing a worker in Go: a program that a process
// manager gives birth to when a client waits, that serves clients from a
// listening socket which it inherited, says when it is busy, and leaves when it
// is idle or worn out.
//
// The same binary runs under Postfix's own master(8) and under brood, which
// speak the same protocol (docs/worker.md), and under any manager that passes
// sockets as systemd does. It finds out by itself which of them it was born to.
//
//	func main() {
//		worker.Main(worker.Options{}, func(ctx context.Context, w *worker.Worker) error {
//			return w.Serve(ctx, func(ctx context.Context, conn net.Conn) {
//				fmt.Fprintln(conn, "hello")
//			})
//		})
//	}
//
// There is a loop for each way of serving: Serve (one client at a time),
// ServeMulti (many), ServeListener (an *http.Server or the like), ServeTrigger
// (wake-up calls) and ServeDatagram. A worker calls one of them, once.
//
// A loop returns nil when the worker should leave, which is no failure: nobody
// came for MaxIdle, MaxUse clients were served, the manager closed its end of
// the status channel (a reload, or its own end), or the context is done.
// Clients that are being served are served to the end first; Leaving says that
// it would be a good time to come to it.
//
// A worker can be tried from a shell, without a manager: with the arguments
// -standalone HOST:PORT or -standalone /PATH, before all others, it listens
// there itself.
//
// The package never catches a signal: SIGTERM ends the worker on the spot, as
// it ends a Postfix daemon, unless the program gives it a context that is
// cancelled by signals. It never changes the status flags of the open file
// descriptions that it shares with the manager and its siblings (the status
// channel, the pipes, the listening sockets), with one exception: a listening
// socket that a systemd-like manager passed in blocking mode is made
// non-blocking. It never writes to standard output.
//
// Errors are "cannot VERB NOUN: cause". Those of New mean that the worker can't
// serve at all: the arguments are wrong, privileges can't be given up, or it was
// not born to a manager. Those of a loop mean that waiting or accepting itself
// failed. Main logs either as "fatal:" and exits with 1, upon which the manager
// holds the service back for a while.
package worker
