// Command web is an HTTP server that takes its socket as systemd passes it, with
// nothing but the standard library. It serves many clients at once, so brood
// keeps one of it, from the first client to a minute without.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// firstSocket is where passed sockets begin, see sd_listen_fds(3).
const firstSocket = 3

func main() {
	leave, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := serve(leave)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// serve serves until it is to leave, and finishes the clients in hand.
func serve(leave context.Context) error {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return errors.New("cannot start: no socket was passed to this process")
	}
	listener, err := net.FileListener(os.NewFile(firstSocket, "listener"))
	if err != nil {
		return fmt.Errorf("cannot use the socket: %w", err)
	}
	var clients sync.WaitGroup
	server := &http.Server{
		Handler:           http.HandlerFunc(hello),
		ReadHeaderTimeout: 10 * time.Second, // nobody who says nothing is waited for longer
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				clients.Add(1)
			case http.StateClosed, http.StateHijacked:
				clients.Done()
			}
		},
	}
	context.AfterFunc(leave, func() { listener.Close() })
	if err := server.Serve(listener); !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("cannot serve: %w", err)
	}
	// Shutdown would drop who was accepted and not read from yet.
	server.SetKeepAlivesEnabled(false)
	clients.Wait()
	return nil
}

func hello(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "hello from net/http, worker %d\n", os.Getpid())
}
