package control

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// past is a deadline that ends a read or a write at once.
var past = time.Unix(1, 0)

// readerSize is what a live connection keeps for reading, in bytes.
const readerSize = 4096

// conn is one client's connection. Its goroutine reads a request, answers it,
// and reads the next.
type conn struct {
	server   *Server
	file     *os.File
	raw      syscall.RawConn
	reader   *bufio.Reader
	who      Peer
	reserved bool
	// dead tells that the framing of what is written is lost.
	dead bool
}

// prepare learns who the client is.
func (c *conn) prepare() (err error) {
	if c.raw, err = c.file.SyscallConn(); err != nil {
		return err
	}
	var unknown error
	err = c.raw.Control(func(fd uintptr) { c.who, unknown = identify(int(fd), &c.server.opts) })
	return errors.Join(err, unknown)
}

// serve answers the client's requests until it or the server leaves.
func (c *conn) serve() {
	defer c.server.leave(c)
	defer c.end()
	c.reader = bufio.NewReaderSize(c.file, readerSize)
	for c.server.ctx.Err() == nil && c.next() && !c.reserved {
	}
}

// end closes the connection.
func (c *conn) end() {
	if !c.reserved || c.raw == nil || !c.server.takeBack(c) {
		c.file.Close()
	}
}

// interrupt ends a wait for the next request. It can fail only when the file is
// closed, and nothing waits then.
func (c *conn) interrupt() { _ = c.file.SetReadDeadline(past) }

// waitUntil sets how long the next read may take.
func (c *conn) waitUntil(limit time.Duration) error {
	if err := c.file.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	// The server interrupts after it has ended its context: either this sees
	// that, or the interruption comes after the deadline above.
	return c.server.ctx.Err()
}

// next reads one request and answers it. It returns false when there is none to
// come.
func (c *conn) next() bool {
	line, wrong := c.readLine()
	if wrong != nil {
		c.finish(0, nil, wrong)
		return false
	}
	if line == nil {
		return false
	}
	p := parse(line)
	if p.wrong == nil {
		p.wrong = c.permit(p)
	}
	if p.wrong != nil {
		c.finish(p.req.ID, nil, p.wrong)
		return !p.lost && !c.dead
	}
	c.handle(&p.req)
	return !c.dead
}

// permit refuses what this client may not have, however well it asks.
func (c *conn) permit(p *parsed) *Error {
	if wrong := p.rule.allowed(c.who, &p.req); wrong != nil {
		return wrong
	}
	if c.reserved && p.req.Follow {
		return refuse(Unavailable, "brood has no descriptor left, and its last one is for short answers; ask without follow")
	}
	return nil
}

// readLine reads up to a newline, which it cuts off. It returns nothing when the
// client has gone or was idle for too long.
func (c *conn) readLine() ([]byte, *Error) {
	idle, request := c.server.times.idle, c.server.times.request
	if c.reserved {
		idle, request = c.server.times.reserve, c.server.times.reserve
	}
	if c.waitUntil(idle) != nil {
		return nil, nil
	}
	if _, err := c.reader.Peek(1); err != nil || c.waitUntil(request) != nil {
		return nil, nil
	}
	var line []byte
	for {
		part, err := c.reader.ReadSlice('\n')
		if len(line)+len(part) > requestMost {
			return nil, refuse(TooLarge, "the request is longer than %d bytes", requestMost)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case err == bufio.ErrBufferFull:
		case err == io.EOF:
			return nil, refuse(BadRequest, "the request ends without a newline")
		case c.server.ctx.Err() != nil:
			return nil, nil
		case os.IsTimeout(err):
			return nil, refuse(BadRequest, "the request was not complete within %s", request)
		default:
			return nil, nil
		}
	}
}

// handle carries out a request that is well-formed and allowed.
func (c *conn) handle(req *Request) {
	if req.Do == VerbHello {
		c.finish(req.ID, c.hello(), nil)
		return
	}
	ctx, cancel := context.WithCancel(c.server.ctx)
	defer cancel()
	stop := c.watch(cancel)
	defer stop()
	data, err := c.call(ctx, req)
	if err != nil {
		c.finish(req.ID, nil, c.asError(err))
		return
	}
	c.finish(req.ID, data, nil)
}

// call asks the handler. That a defect in one answer ends the daemon and with it
// the mail system would be worse than the defect.
func (c *conn) call(ctx context.Context, req *Request) (data any, err error) {
	defer func() {
		if defect := recover(); defect != nil {
			data, err = nil, refuse(Failed, "brood has a defect, please report it: %s: %v", req.Do, defect)
		}
	}()
	return c.server.handler.Handle(ctx, c.who, req, func(v any) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return c.answer(line{ID: req.ID, OK: true, More: true, Data: v})
	})
}

// watch ends the request when the client hangs up. The function that it returns
// ends the watch.
func (c *conn) watch(gone context.CancelFunc) (stop func()) {
	done := make(chan struct{})
	_ = c.file.SetReadDeadline(time.Time{})
	go func() {
		defer close(done)
		if c.raw.Read(func(fd uintptr) bool { return hungUp(int(fd)) }) == nil {
			gone()
		}
	}()
	return func() {
		c.interrupt()
		<-done
	}
}

// asError makes any error one for the wire.
func (c *conn) asError(err error) *Error {
	var wire *Error
	switch {
	case errors.As(err, &wire):
		return wire
	case errors.Is(err, context.Canceled) && c.server.ctx.Err() != nil:
		return refuse(Unavailable, "brood is ending")
	default:
		return refuse(Failed, "%v", err)
	}
}

func (c *conn) hello() *Hello {
	return &Hello{
		Versions: []int{Version}, Brood: c.server.opts.Brood, PID: int32(os.Getpid()),
		Role: c.who.Role.String(), Requests: permitted(c.who.Role),
	}
}

// finish writes the last line of an answer. When that fails, the connection is
// dead, and nobody is there to be told.
func (c *conn) finish(id uint64, data any, wrong *Error) {
	err := c.answer(line{ID: id, OK: wrong == nil, Data: data, Error: wrong})
	if err != nil && !c.dead { // the value has no form in JSON
		_ = c.answer(line{ID: id, Error: refuse(Failed, "brood has a defect, please report it: %v", err)})
	}
}

// answer writes one line, and gives the client a time in which to read it.
func (c *conn) answer(l line) error {
	if c.dead {
		return os.ErrClosed
	}
	if err := c.file.SetWriteDeadline(time.Now().Add(c.server.times.answer)); err != nil {
		return err
	}
	l.V = Version
	out := &writer{to: c.file}
	err := l.write(out, c.who.Role)
	c.dead = err != nil && out.begun
	return err
}

// writer notes whether anything of a line was written.
type writer struct {
	to    io.Writer
	begun bool
}

func (w *writer) Write(b []byte) (int, error) {
	w.begun = true
	return w.to.Write(b)
}
