package listen

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// Error is a step that failed for an endpoint.
type Error struct {
	// Op is the step: "bind", "listen", "replace", "wake" and so on.
	Op string
	// Endpoint is what it was for.
	Endpoint plan.Endpoint
	// Err is the cause: an errno, or a sentence where no errno tells it.
	Err error
}

// Error is "cannot OP ENDPOINT: cause".
func (e *Error) Error() string {
	return "cannot " + e.Op + " " + Describe(e.Endpoint) + ": " + e.Err.Error()
}

// Unwrap gives the cause, so that errors.Is finds the errno.
func (e *Error) Unwrap() error { return e.Err }

// Postfix is the same in the words that Postfix's master logs behind "fatal:",
// which other programs read. Paths are told from below queueDirectory.
func (e *Error) Postfix(queueDirectory string) string {
	cause := e.Err.Error()
	if errno := unix.Errno(0); errors.As(e.Err, &errno) {
		// strerror(3) starts with a capital, Go's table does not.
		s := errno.Error()
		cause = strings.ToUpper(s[:1]) + s[1:]
	}
	ep := e.Endpoint
	if ep.Path == "" {
		return e.Op + " " + numericHost(ep) + " port " + strconv.FormatUint(uint64(ep.Port), 10) + ": " + cause
	}
	path := strings.TrimPrefix(ep.Path, strings.TrimSuffix(queueDirectory, "/")+"/")
	switch e.Op {
	case "replace":
		return "remove " + path + ": " + cause
	default:
		return e.Op + ": " + path + ": " + cause
	}
}

// Describe names an endpoint as the operator knows it: a path, or
// "ADDRESS port PORT".
func Describe(e plan.Endpoint) string {
	if e.Path != "" {
		return e.Path
	}
	port := strconv.FormatUint(uint64(e.Port), 10)
	switch {
	case e.Network == plan.NetVsock:
		return "vsock " + numericHost(e) + " port " + port
	case e.Network == plan.NetUDP:
		return "udp " + numericHost(e) + " port " + port
	default:
		return numericHost(e) + " port " + port
	}
}

func numericHost(e plan.Endpoint) string {
	if e.Addr == "" {
		return "*"
	}
	return e.Addr
}
