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
	"syscall"
)

// firstSocket is where passed sockets begin, see sd_listen_fds(3).
const firstSocket = 3

func main() {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		log.Fatal("cannot start: no socket was passed to this process")
	}
	listener, err := net.FileListener(os.NewFile(firstSocket, "listener"))
	if err != nil {
		log.Fatal("cannot use the socket: ", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(hello)}
	leave, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	done := make(chan error)
	go func() {
		<-leave.Done()
		done <- server.Shutdown(context.Background()) // clients in hand are served
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal("cannot serve: ", err)
	}
	if err := <-done; err != nil {
		log.Fatal("cannot stop: ", err)
	}
}

func hello(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "hello from net/http, worker %d\n", os.Getpid())
}
