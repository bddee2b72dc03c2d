package tour

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"time"

	"github.com/brood-project/brood/internal/demo"
	"github.com/brood-project/brood/worker"
)

// maxIdle is when a worker leaves that nobody needs any more.
const maxIdle = time.Second

// Work is the worker of the tour, and the process's whole life. It greets its
// client, who learns its pid, and then repeats what the client says until that
// hangs up.
func Work() {
	var greeting string
	options := worker.Options{
		MaxIdle: maxIdle,
		MaxUse:  math.MaxInt32,
		Prepare: func(*worker.Worker) error {
			text, err := os.ReadFile(demo.GreetingFile)
			if err != nil {
				die(fmt.Errorf("cannot greet anybody: %w", err))
			}
			greeting = strings.TrimSpace(string(text))
			return nil
		},
	}
	worker.Main(options, func(ctx context.Context, w *worker.Worker) error {
		return w.Serve(ctx, func(_ context.Context, conn net.Conn) {
			fmt.Fprintln(conn, os.Getpid(), greeting)
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				fmt.Fprintln(conn, lines.Text())
			}
		})
	})
}

// die ends the worker as one that can't go on. It does not log by the worker
// package, which would write to the machine's own syslog.
func die(err error) {
	fmt.Fprintf(os.Stderr, "%s[%d]: fatal: %v\n", demo.WorkerCommand, os.Getpid(), err)
	os.Exit(1)
}
