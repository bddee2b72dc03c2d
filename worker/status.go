package worker

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/masterproto"
)

// reporter tells the manager how the worker is. Callers take care that reports
// come one at a time. An error means that nobody listens any more.
type reporter interface {
	ready() error
	report(masterproto.State) error
	stopping() error
}

// postfixStatus writes records to a master's status channel. A worker counts as
// available from its birth and its exit speaks for itself, so that ready and
// stopping have nothing to say.
type postfixStatus struct {
	fd         int
	pid        int32
	generation uint32
	buf        [masterproto.StatusSize]byte
}

func (s *postfixStatus) ready() error    { return nil }
func (s *postfixStatus) stopping() error { return nil }

func (s *postfixStatus) report(state masterproto.State) error {
	record := masterproto.AppendStatus(s.buf[:0], masterproto.Status{
		PID: s.pid, Generation: s.generation, State: state,
	})
	for {
		_, err := unix.Write(s.fd, record)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot report %v: %w", state, err)
		}
		return nil
	}
}

// notifier sends sd_notify(3) datagrams. X_BROOD_STATE is brood's own word,
// which other managers ignore.
type notifier struct {
	conn net.Conn
}

// newNotifier connects before the root directory may change. Without a socket,
// or when it can't be reached, nobody wants to know.
func newNotifier(path string) reporter {
	if path == "" {
		return silent{}
	}
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		return silent{}
	}
	return &notifier{conn: conn}
}

func (n *notifier) say(text string) error {
	if _, err := n.conn.Write([]byte(text)); err != nil {
		return fmt.Errorf("cannot notify manager: %w", err)
	}
	return nil
}

func (n *notifier) ready() error    { return n.say("READY=1\nX_BROOD_STATE=idle") }
func (n *notifier) stopping() error { return n.say("STOPPING=1") }

func (n *notifier) report(state masterproto.State) error {
	if state == masterproto.Taken {
		return n.say("X_BROOD_STATE=busy")
	}
	return n.say("X_BROOD_STATE=idle")
}

// silent is for managers that do not want to know.
type silent struct{}

func (silent) ready() error                   { return nil }
func (silent) report(masterproto.State) error { return nil }
func (silent) stopping() error                { return nil }
