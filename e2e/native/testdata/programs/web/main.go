// Command web is an HTTP server that takes its socket as systemd passes it, and
// accepts one client at a time. What it reads at its start stands in web.conf.
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

// single is a listener that accepts when the last client is gone.
type single struct {
	net.Listener
	free   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (l *single) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	case <-l.free:
	}
	c, err := l.Listener.Accept()
	if err != nil {
		l.free <- struct{}{}
		return nil, err
	}
	return &conn{Conn: c, done: func() { l.free <- struct{}{} }}, nil
}

func (l *single) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type conn struct {
	net.Conn
	once sync.Once
	done func()
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.done)
	return err
}

// inherited is a descriptor as a file. Of one from os.NewFile, FileListener would
// have accept wait for a moment where another worker's must not: the two share
// that setting.
func inherited(fd int) (*os.File, error) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	return file, syscall.Dup3(fd, int(file.Fd()), syscall.O_CLOEXEC)
}

func main() {
	if _, err := os.ReadFile("web.conf"); err != nil {
		log.Fatal(err)
	}
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) || os.Getenv("LISTEN_FDS") != "1" {
		log.Fatal("no socket was passed to this process")
	}
	file, err := inherited(3)
	if err != nil {
		log.Fatal(err)
	}
	passed, err := net.FileListener(file)
	if err != nil {
		log.Fatal(err)
	}
	listener := &single{Listener: passed, free: make(chan struct{}, 1), closed: make(chan struct{})}
	listener.free <- struct{}{}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(300 * time.Millisecond)
		}
		fmt.Fprintf(w, "served by %d\n", os.Getpid())
	})}
	leave, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	// Shutdown would drop a client that was accepted and has not been read from.
	context.AfterFunc(leave, func() { listener.Close() })
	if err := server.Serve(listener); !errors.Is(err, net.ErrClosed) {
		log.Fatal(err)
	}
	<-listener.free
}
