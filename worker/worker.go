package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options are what the author decides. The zero value is a worker that behaves
// as a Postfix daemon does.
type Options struct {
	// MaxIdle is the time without a client after which the worker leaves; 0
	// means max_idle of main.cf, or 100 s. The operator overrides it with
	// -o max_idle=TIME.
	MaxIdle time.Duration
	// MaxUse is the number of clients after which the worker leaves; 0 means
	// max_use of main.cf, or 100. The operator overrides it with -o max_use=N.
	MaxUse int
	// User is whom a worker of an unprivileged service (-u) becomes; empty
	// means mail_owner of main.cf, or "postfix".
	User string
	// Order is which of several idle workers gets the next client.
	Order Order
	// Prepare, when set, runs before privileges are given up and before the
	// root directory is changed: the place to open files and read tables. The
	// worker that it is given knows its arguments and can log; it has no
	// client yet.
	Prepare func(w *Worker) error
}

// Worker is this process as its manager sees it. Its methods may be called from
// any goroutine, but only one loop, once.
type Worker struct {
	args     arguments
	set      settings
	birth    birth
	log      *slog.Logger
	lock     *os.File
	leaving  chan struct{}
	leaveOne sync.Once
}

// New finds out how the process was born, reads the argument vector, runs
// Options.Prepare, gives up privileges and the root directory as the service
// asks, and returns a worker that is ready to serve. Call it once, first thing
// in main.
func New(o Options) (*Worker, error) {
	name := filepath.Base(os.Args[0])
	w := &Worker{leaving: make(chan struct{}), log: slog.New(newLogHandler(name, 0, false))}
	b, argv, err := findBirth(os.Args[1:])
	if err != nil {
		return nil, err
	}
	w.birth = b
	if w.args, err = b.arguments(name, argv); err != nil {
		return nil, err
	}
	w.log = slog.New(newLogHandler(name, w.args.verbose, w.args.stderr || b.kind == bornAlone))
	if err := w.birth.adopt(&w.args); err != nil {
		return nil, err
	}
	if err := w.configure(o); err != nil {
		return nil, err
	}
	if o.Prepare != nil {
		if err := o.Prepare(w); err != nil {
			return nil, err
		}
	}
	if err := confine(w.args, w.set.owner); err != nil {
		return nil, err
	}
	if err := w.birth.status.ready(); err != nil {
		return nil, err
	}
	return w, nil
}

// configure settles the parameters and opens the accept lock while the queue
// directory is still where it was at birth.
func (w *Worker) configure(o Options) error {
	main := map[string]string(nil)
	if w.birth.kind == bornToMaster {
		dir := os.Getenv(envConfig)
		if dir == "" {
			dir = defaultConfigDir
		}
		var err error
		if main, err = readMainCF(dir); err != nil {
			return err
		}
	}
	var err error
	if w.set, err = settle(o, w.args.parameters, main); err != nil {
		return err
	}
	if w.birth.kind == bornAlone {
		// Whoever tries a worker from a shell ends it from there.
		w.set.maxIdle, w.set.maxUse = math.MaxInt64, math.MaxInt
	}
	if w.set.order == Serial && w.args.transport == "" {
		// Only a master says the transport, and has a place for locks.
		w.set.order = Turns
	}
	if w.set.order == Serial && !w.args.single && w.birth.kind == bornToMaster {
		w.lock, err = openLock(w.args.transport, w.args.service)
	}
	return err
}

// openLock opens the file that the idle workers of a service queue up at; the
// path is the one that Postfix's daemons use.
func openLock(transport, service string) (*os.File, error) {
	path := filepath.Join("pid", transport+"."+service)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open accept lock: %w", err)
	}
	return f, nil
}

// Service is the name of the service as the operator wrote it.
func (w *Worker) Service() string { return w.args.service }

// Transport is how clients reach the service, in master.cf's words
// (masterproto.TransportInet and so on); empty when the manager did not say.
func (w *Worker) Transport() string { return w.args.transport }

// Args are the arguments that follow the standard options.
func (w *Worker) Args() []string { return w.args.rest }

// Parameter is the value of -o NAME=VALUE and whether there was one.
func (w *Worker) Parameter(name string) (string, bool) {
	v, ok := w.args.parameters[name]
	return v, ok
}

// Verbose counts the -v options.
func (w *Worker) Verbose() int { return w.args.verbose }

// Logger writes to where Postfix's daemons log: postlogd(8) when the master
// says so, syslog otherwise, standard error when neither listens. It works on
// after the root directory has changed.
func (w *Worker) Logger() *slog.Logger { return w.log }

// Leaving is closed once the worker takes no more clients and waits only for
// those that it has. A client that may stay for hours should be asked to go
// then.
func (w *Worker) Leaving() <-chan struct{} { return w.leaving }

func (w *Worker) leave() {
	w.leaveOne.Do(func() {
		close(w.leaving)
		if err := w.birth.status.stopping(); err != nil {
			w.log.Debug("cannot say that this worker leaves", "cause", err)
		}
	})
}

// Main is the whole of most workers' main function: New, then serve, which
// calls one of the loops, then the end of the process. The exit status is 0
// when serve returns nil and 1 otherwise, after a "fatal:" line. It does not
// return.
func Main(o Options, serve func(ctx context.Context, w *Worker) error) {
	log := slog.New(newLogHandler(filepath.Base(os.Args[0]), 0, true))
	w, err := New(o)
	if err == nil {
		log = w.log
		err = serve(context.Background(), w)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Log(context.Background(), levelFatal, err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}
