// Command hello greets each line that a client sends, one client at a time. It
// is written with package worker, which tells brood when it is busy and when it
// is idle, by whichever protocol it was born to.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"

	"github.com/brood-project/brood/worker"
)

func main() {
	worker.Main(worker.Options{}, func(ctx context.Context, w *worker.Worker) error {
		return w.Serve(ctx, func(_ context.Context, client net.Conn) {
			for lines := bufio.NewScanner(client); lines.Scan(); {
				fmt.Fprintf(client, "hello %s from Go, worker %d\n", lines.Text(), os.Getpid())
			}
		})
	})
}
