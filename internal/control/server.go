package control

import (
	"context"
	"errors"
)

// Options are what a server has to know. The zero value serves.
type Options struct {
	// Brood is the version of the daemon, for hello.
	Brood string
	// OperateGroups are the numbers of the groups whose members may operate.
	OperateGroups []uint32
	// Others is the role of everybody else; the zero value is Read, and None
	// is said by OthersNone.
	Others     Role
	OthersNone bool
}

// Handler carries requests out. Handle is called in a goroutine of each
// connection, for requests that are well-formed and allowed to who. send makes
// a line of an intermediate value, with "more": true; it is for one goroutine at
// a time, waits while the client does not read, and fails when it has not read
// for too long. What Handle returns is the last line; an error that is an *Error
// goes out as it is, any other with code Failed. ctx ends when the client hangs
// up or the server is closed. Hello is answered by the server itself.
type Handler interface {
	Handle(ctx context.Context, who Peer, req *Request, send func(v any) error) (any, error)
}

// Server is the daemon's end.
type Server struct{}

// Listen opens the socket at path, for all users: the table of roles decides,
// not the file's mode. A socket that is left over is replaced.
func Listen(path string, opts Options) (*Server, error) {
	return nil, errors.New("cannot listen: not built yet")
}

// Serve begins to answer with h, and returns at once.
func (s *Server) Serve(h Handler) {}

// Close ends the server: it removes the socket's file if that is still its own,
// ends the contexts of all handlers, and waits a short while for answers under
// way. It is not for a Handler to call.
func (s *Server) Close() error { return nil }
