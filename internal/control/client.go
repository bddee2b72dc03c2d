package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNotRunning is what Dial's error wraps when nobody listens at the path.
var ErrNotRunning = errors.New("brood is not running there")

// Client is the operator's end, for one request after another; it is not for
// several goroutines at a time. After an error that is not an *Error it is of no
// more use.
type Client struct {
	path   string
	file   *os.File
	reader *bufio.Reader
	id     uint64
	// pid is the daemon's, for what is said when it does not answer.
	pid int32
	// broken is why nothing more can be asked.
	broken error
}

// dialSlice is how long the kernel is asked to wait for a place in a full queue
// before the context is looked at again.
const dialSlice = 250 * time.Millisecond

// Dial connects to the server at path. Its error says what the operator can do,
// and wraps ErrNotRunning when no brood is there.
func Dial(ctx context.Context, path string) (*Client, error) {
	fd, err := dial(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("cannot reach brood at %s: %w", path, explainDial(err))
	}
	c := &Client{path: path, file: os.NewFile(uintptr(fd), path)}
	if cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
		c.pid = cred.Pid
	}
	c.reader = bufio.NewReaderSize(c.file, 64<<10)
	return c, nil
}

// dial waits in connect(2), which a full queue blocks, for as long as ctx allows.
func dial(ctx context.Context, path string) (fd int, err error) {
	if err := checkPath(path); err != nil {
		return -1, err
	}
	if fd, err = open(0); err != nil {
		return -1, err
	}
	wait := unix.NsecToTimeval(int64(dialSlice))
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait)
	for err == nil {
		err = ctx.Err()
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
			if err == nil {
				err = unix.SetNonblock(fd, true)
				break
			}
		}
		if err == unix.EAGAIN || err == unix.EINTR {
			err = nil
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// explainDial adds what a person can do.
func explainDial(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: there is no such socket; start broodd, or name its socket", ErrNotRunning)
	case errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("%w: nobody listens at the socket; start broodd", ErrNotRunning)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: a directory on the way is closed to you; ask as root", err)
	case errors.Is(err, unix.EPROTOTYPE), errors.Is(err, unix.ENOTSOCK):
		return fmt.Errorf("%w: that is not brood's socket; name the right one", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: too many wait for it, or it hangs; try again, or look at its state with ps", err)
	default:
		return err
	}
}

// Close hangs up.
func (c *Client) Close() error { return c.file.Close() }

// Do sends a request and decodes its answer into into, unless that is nil. What
// the server refuses is an *Error. The context's deadline bounds the wait;
// without one Do waits for as long as it takes.
func (c *Client) Do(ctx context.Context, req Request, into any) error {
	data, err := c.Stream(ctx, req, nil)
	if err != nil || into == nil || len(data) == 0 {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("cannot understand the answer to %s: %w; is this brood as old as the one at %s?", req.Do, err, c.path)
	}
	return nil
}

// Stream sends a request and calls each, unless that is nil, with the data of
// every line but the last one, which it returns. An error of each ends it, and
// the client with it. The data is each's to keep.
func (c *Client) Stream(ctx context.Context, req Request, each func(json.RawMessage) error) (last json.RawMessage, err error) {
	if c.broken != nil {
		return nil, c.broken
	}
	began := time.Now()
	defer c.obey(ctx)()
	c.id++
	req.V, req.ID = Version, c.id
	last, err = c.exchange(&req, each)
	if os.IsTimeout(err) && ctx.Err() != nil {
		err = c.explainSilence(ctx.Err(), time.Since(began))
	}
	var wire *Error
	if err != nil && c.broken == nil && !errors.As(err, &wire) {
		c.broken = err
	}
	return last, err
}

// obey ends all reading and writing when ctx ends. The function that it returns
// ends that.
func (c *Client) obey(ctx context.Context) (stop func()) {
	c.file.SetDeadline(time.Time{})
	done := make(chan struct{})
	forget := context.AfterFunc(ctx, func() {
		c.file.SetDeadline(past)
		close(done)
	})
	return func() {
		if !forget() {
			<-done
		}
	}
}

// exchange sends a request and reads the lines of its answer.
func (c *Client) exchange(req *Request, each func(json.RawMessage) error) (json.RawMessage, error) {
	line, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("cannot send %s: %w", req.Do, err)
	}
	// A server that refuses everything may have hung up before it was asked, and
	// has then said why: what went wrong is better told by what can be read.
	_, unsent := c.file.Write(append(line, '\n'))
	if os.IsTimeout(unsent) {
		return nil, unsent
	}
	for {
		response, err := c.read()
		switch {
		case err != nil:
			return nil, err
		case response.Error != nil:
			return nil, response.Error
		case response.ID != req.ID || response.V != Version:
			return nil, fmt.Errorf("cannot understand the answer: it is of version %d for request %d; is it brood that listens at %s?",
				response.V, response.ID, c.path)
		case !response.More:
			return response.Data, nil
		case each == nil:
		default:
			if err := each(response.Data); err != nil {
				c.broken = errors.New("cannot ask anything more: the last answer was not read to its end")
				return nil, err
			}
		}
	}
}

// read reads one line of an answer.
func (c *Client) read() (*Response, error) {
	var line []byte
	for {
		part, err := c.reader.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > answerMost:
			return nil, fmt.Errorf("cannot take the answer: it is longer than %d MiB", answerMost>>20)
		case err == bufio.ErrBufferFull:
			continue
		case os.IsTimeout(err):
			return nil, err
		case err != nil:
			return nil, c.explainEnd(err, len(line) > 0)
		}
		response := &Response{}
		if err := json.Unmarshal(bytes.TrimSuffix(line, []byte("\n")), response); err != nil {
			return nil, fmt.Errorf("cannot understand the answer: %w; is it brood that listens at %s?", err, c.path)
		}
		return response, nil
	}
}

// explainEnd says what it means that the connection ended before the answer.
func (c *Client) explainEnd(err error, middle bool) error {
	where := "before it answered"
	if middle {
		where = "in the middle of its answer"
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if hasEnded(c.pid) {
		return fmt.Errorf("brood (pid %d) has ended %s: %w; its log says why", c.pid, where, err)
	}
	return fmt.Errorf("brood hung up %s: %w; it is ending, or this client was too slow; try again", where, err)
}

// explainSilence says what it means that no answer came.
func (c *Client) explainSilence(cause error, waited time.Duration) error {
	if errors.Is(cause, context.Canceled) {
		return fmt.Errorf("cannot wait for brood's answer any longer: %w", cause)
	}
	waited = waited.Round(time.Millisecond)
	held, help := c.Held()
	if held == "" {
		return fmt.Errorf("brood (pid %d) did not answer for %s: %w; it is busy or hangs: try again with more time", c.pid, waited, cause)
	}
	return fmt.Errorf("brood (pid %d) %s and did not answer for %s: %w; %s", c.pid, held, waited, cause, help)
}

// Held tells what keeps the daemon from running, and what helps; both are "" when
// nothing does that can be seen from outside. It may be called while a request
// waits.
func (c *Client) Held() (by, help string) {
	switch stateOf(c.pid) {
	case 'T', 't':
		return "is stopped by a signal", fmt.Sprintf("let it go on with kill -CONT %d", c.pid)
	case 'D':
		return "waits for a disk or a file system", "look at the file systems it uses"
	}
	return "", ""
}

// PID is the daemon's process; 0 where this process cannot see it.
func (c *Client) PID() int { return int(c.pid) }

// stateOf returns the letter by which proc(5) tells a process's state, or 0.
func stateOf(pid int32) byte {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name before it may hold anything, this as well.
	i := bytes.LastIndex(text, []byte(") "))
	if i < 0 || i+2 >= len(text) {
		return 0
	}
	return text[i+2]
}

// hasEnded tells whether a process is known to be no more.
func hasEnded(pid int32) bool {
	switch stateOf(pid) {
	case 'Z', 'X':
		return true
	case 0:
		return pid > 0 && errors.Is(unix.Kill(int(pid), 0), unix.ESRCH)
	default:
		return false
	}
}
