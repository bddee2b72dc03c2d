package master

import (
	"sync"

	"golang.org/x/sys/unix"
)

// closer closes descriptors that a worker has, or has had, outside the loop: to
// close the last handle of a connection that lingers (socket(7), SO_LINGER), or of
// a file of a user's own file system, may take as long as the worker likes. Each
// service has one, so that it can keep nobody waiting but itself.
type closer struct {
	mu    sync.Mutex
	files []int
	busy  bool
}

// shed closes descriptors that have to do with the service's workers.
func (s *service) shed(files ...int) {
	if len(files) == 0 {
		return
	}
	if s.closer == nil {
		s.closer = &closer{}
	}
	s.closer.close(files)
}

// discard closes descriptors that the service's workers have sent us.
func (s *service) discard(files ...int) {
	calm(files)
	s.shed(files...)
}

// calm has connections that were sent to us not linger any more. A child on its
// way has a copy of our table, closes it, and may be the last that does.
func calm(files []int) {
	for _, fd := range files {
		// What is no socket has no such option.
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{})
	}
}

// close closes the files some time soon, in their order.
func (c *closer) close(files []int) {
	if len(files) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files = append(c.files, files...)
	if !c.busy {
		c.busy = true
		go c.run()
	}
}

func (c *closer) run() {
	for {
		c.mu.Lock()
		if len(c.files) == 0 {
			c.busy, c.files = false, nil
			c.mu.Unlock()
			return
		}
		fd := c.files[0]
		c.files = c.files[1:]
		c.mu.Unlock()
		unix.Close(fd)
	}
}
