package worker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// passTimeout bounds the wait for a sender on a pass socket.
const passTimeout = 10 * time.Second

// attributesMax bounds the bytes that a sender may say about a client.
const attributesMax = 64 << 10

// Passed is a client whose connection another process, such as postscreen(8),
// has accepted and handed over.
type Passed struct {
	net.Conn
	// Attributes are what the sender says about the client: client_address,
	// client_port, server_address, server_port and the like. The connection's
	// own addresses are those of the sender's proxy, if there is one.
	Attributes map[string]string
}

// receivePassed reads one message from the sender's connection: a byte that
// carries a descriptor, then attributes. The sender keeps its connection open
// until ours is closed, which tells it that the client is in good hands.
func receivePassed(sender net.Conn) (*Passed, error) {
	defer sender.Close()
	u, ok := sender.(*net.UnixConn)
	if !ok {
		return nil, errors.New("cannot receive client: not a unix socket")
	}
	if err := u.SetReadDeadline(time.Now().Add(passTimeout)); err != nil {
		return nil, fmt.Errorf("cannot receive client: %w", err)
	}
	fd, err := receiveDescriptor(u)
	if err != nil {
		return nil, fmt.Errorf("cannot receive client: %w", err)
	}
	attributes, err := readAttributes(u)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot receive client: %w", err)
	}
	conn, err := connOf(fd)
	if err != nil {
		return nil, err
	}
	return &Passed{Conn: conn, Attributes: attributes}, nil
}

// receiveDescriptor reads the one byte that a descriptor rides on; all that
// comes beside the first descriptor is closed.
func receiveDescriptor(u *net.UnixConn) (int, error) {
	var b [1]byte
	control := make([]byte, unix.CmsgSpace(4*4))
	n, cn, _, _, err := u.ReadMsgUnix(b[:], control)
	if err != nil {
		return -1, err
	}
	if n == 0 {
		return -1, io.ErrUnexpectedEOF
	}
	messages, err := unix.ParseSocketControlMessage(control[:cn])
	if err != nil {
		return -1, err
	}
	var all []int
	for _, m := range messages {
		if fds, err := unix.ParseUnixRights(&m); err == nil {
			all = append(all, fds...)
		}
	}
	if len(all) == 0 {
		return -1, errors.New("the sender passed no descriptor")
	}
	for _, fd := range all[1:] {
		unix.Close(fd)
	}
	unix.CloseOnExec(all[0])
	return all[0], nil
}

// readAttributes reads NAME NUL VALUE NUL pairs up to an empty name. A sender
// that has nothing to say closes its end.
func readAttributes(r io.Reader) (map[string]string, error) {
	in := bufio.NewReader(io.LimitReader(r, attributesMax))
	attributes := map[string]string{}
	for {
		name, err := in.ReadString(0)
		if errors.Is(err, io.EOF) && name == "" || err == nil && name == "\x00" {
			return attributes, nil
		}
		if err != nil {
			return nil, err
		}
		value, err := in.ReadString(0)
		if err != nil {
			return nil, err
		}
		attributes[strings.TrimSuffix(name, "\x00")] = strings.TrimSuffix(value, "\x00")
	}
}
