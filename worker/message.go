package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/masterproto"
)

// triggerTimeout bounds the wait for the bytes of a wake-up call.
const triggerTimeout = 10 * time.Second

// triggerMax is how many bytes of a wake-up call are looked at; several calls
// through a fifo may arrive as one.
const triggerMax = 1024

// datagramMax is the largest datagram that arrives whole.
const datagramMax = 64 << 10

// TriggerHandler answers a wake-up call. The bytes are what the caller sent
// (masterproto.WakeupByte from a master's timer) and are valid only during the
// call.
type TriggerHandler func(ctx context.Context, calls []byte)

// ServeTrigger serves wake-up calls, one at a time, over unix, inet, pass,
// fifo or unix-dgram. Every call is one client: taken and available are
// reported around it, and it counts towards MaxUse.
func (w *Worker) ServeTrigger(ctx context.Context, h TriggerHandler) error {
	switch w.args.transport {
	case masterproto.TransportFifo, masterproto.TransportUnixDgram:
		buf := make([]byte, triggerMax)
		return w.serveMessages(ctx, func(fd int) (func(), error) {
			n, err := unix.Read(fd, buf)
			return func() { h(ctx, buf[:max(n, 0)]) }, err
		})
	}
	return w.serve(ctx, 1, func(ctx context.Context, conn net.Conn) {
		if err := conn.SetReadDeadline(time.Now().Add(triggerTimeout)); err != nil {
			w.log.Warn("cannot read wake-up call", "cause", err)
			return
		}
		buf := make([]byte, triggerMax)
		n, err := conn.Read(buf)
		if n == 0 {
			w.log.Debug("a wake-up call without a byte", "cause", err)
			return
		}
		h(ctx, buf[:n])
	})
}

// Datagram is one message.
type Datagram struct {
	// Data is valid only during the call of the handler.
	Data []byte
	from unix.Sockaddr
	fd   int
}

// Reply sends a datagram back, if the sender has an address: senders on unix
// sockets seldom have.
func (d Datagram) Reply(data []byte) error {
	if u, ok := d.from.(*unix.SockaddrUnix); d.from == nil || ok && u.Name == "" {
		return errors.New("cannot reply: the sender has no address")
	}
	if err := unix.Sendto(d.fd, data, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, d.from); err != nil {
		return fmt.Errorf("cannot reply: %w", err)
	}
	return nil
}

// DatagramHandler serves one datagram.
type DatagramHandler func(ctx context.Context, d Datagram)

// ServeDatagram serves datagrams, one at a time. Every datagram is one client.
func (w *Worker) ServeDatagram(ctx context.Context, h DatagramHandler) error {
	buf := make([]byte, datagramMax)
	return w.serveMessages(ctx, func(fd int) (func(), error) {
		n, from, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		return func() { h(ctx, Datagram{Data: buf[:max(n, 0)], from: from, fd: fd}) }, err
	})
}

// serveMessages is the loop for what has no connection. receive fetches one
// message without waiting and returns what is to be done with it.
func (w *Worker) serveMessages(ctx context.Context, receive func(fd int) (func(), error)) error {
	l, err := newLoop(w, 1)
	if err != nil {
		return err
	}
	defer l.close()
	defer l.until(ctx)()
	for {
		fd, err := l.next()
		if errors.Is(err, errLeave) {
			return nil
		}
		if err != nil {
			return err
		}
		serve, err := receive(fd)
		l.passOn(fd)
		switch {
		case err == nil:
			l.begin()
			serve()
			l.done()
		case isShortage(err):
			l.pause()
		case !isPassing(err):
			return fmt.Errorf("cannot receive message: %w", err)
		}
	}
}
