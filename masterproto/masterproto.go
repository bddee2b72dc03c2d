package masterproto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// The descriptors that a child is born with, beside 0, 1 and 2. A child owns
// them; the open file descriptions behind all but FDStatus are shared with the
// master and with every sibling, and so are their status flags (O_NONBLOCK).
const (
	// FDFlowRead is the read end of the flow-control pipe: one pipe for all
	// services of a master, made once, non-blocking on both ends. A byte read
	// is a token taken.
	FDFlowRead = 3
	// FDFlowWrite is the write end of the same pipe. A byte written is a token
	// given.
	FDFlowWrite = 4
	// FDStatus is the status channel, one end of a duplex stream socket. The
	// child writes status records of StatusSize bytes and never reads
	// anything but end-of-file, which means: leave when convenient.
	FDStatus = 5
	// FDListen is the first listening socket (or fifo, or datagram socket);
	// the others follow without a gap, in the order of the service's
	// addresses. They are non-blocking. How many there are is said by
	// OptSockets.
	FDListen = 6
)

// State is what a child says of itself.
type State int32

// The two states. A child counts as available from its birth, without saying so.
const (
	// Taken: the child serves a client and has no room for another.
	Taken State = 0
	// Available: the child would accept a client.
	Available State = 1
)

// String is "taken", "available" or "state N".
func (s State) String() string {
	switch s {
	case Taken:
		return "taken"
	case Available:
		return "available"
	}
	return "state " + strconv.Itoa(int(s))
}

// Status is one report of a child about itself.
type Status struct {
	// PID is the child's process id as the child knows it. It is hearsay: a
	// master that can ask the kernel for the sender's pid should.
	PID int32
	// Generation is the number that the child found in EnvGeneration at its
	// birth. It tells a child from an earlier one that had the same pid.
	Generation uint32
	// State is the new state; the same one twice in a row is legal and means
	// nothing.
	State State
}

// StatusSize is the length in bytes of a status record: three 32-bit integers
// in the byte order of the machine, without padding.
const StatusSize = 12

// What can be wrong with a status record.
var (
	// ErrShort: fewer than StatusSize bytes.
	ErrShort = errors.New("cannot parse status record: too short")
	// ErrLong: more than StatusSize bytes. A reader of a stream cuts records
	// out before it parses them.
	ErrLong = errors.New("cannot parse status record: too long")
	// ErrState: the length is right, the state is neither Taken nor Available.
	ErrState = errors.New("cannot parse status record: unknown state")
)

// AppendStatus appends the record's StatusSize bytes to dst and returns the
// extended slice. It allocates only if dst has no room.
func AppendStatus(dst []byte, s Status) []byte {
	dst = binary.NativeEndian.AppendUint32(dst, uint32(s.PID))
	dst = binary.NativeEndian.AppendUint32(dst, s.Generation)
	return binary.NativeEndian.AppendUint32(dst, uint32(s.State))
}

// ParseStatus reads one whole record. With ErrState all three fields are
// returned as they were sent, so that the culprit can be named; with ErrShort
// and ErrLong the status is zero. The errors are returned as they are, never
// wrapped.
func ParseStatus(record []byte) (Status, error) {
	if len(record) < StatusSize {
		return Status{}, ErrShort
	}
	if len(record) > StatusSize {
		return Status{}, ErrLong
	}
	s := Status{
		PID:        int32(binary.NativeEndian.Uint32(record)),
		Generation: binary.NativeEndian.Uint32(record[4:]),
		State:      State(binary.NativeEndian.Uint32(record[8:])),
	}
	if s.State != Taken && s.State != Available {
		return s, ErrState
	}
	return s, nil
}

// EnvGeneration is the environment variable that carries a child's generation,
// in octal without a prefix. The number counts up by one with every birth over
// all services of a master and wraps around after 2^32 births.
const EnvGeneration = "GENERATION"

// ErrGeneration is what ParseGeneration's errors wrap.
var ErrGeneration = errors.New("not an octal number of 32 bits")

// FormatGeneration spells a generation as EnvGeneration carries it: octal, no
// prefix, no leading zero.
func FormatGeneration(g uint32) string {
	return strconv.FormatUint(uint64(g), 8)
}

// ParseGeneration reads what FormatGeneration wrote; leading zeros are allowed,
// signs, blanks, prefixes and underscores are not. The error wraps
// ErrGeneration.
func ParseGeneration(s string) (uint32, error) {
	g, err := strconv.ParseUint(s, 8, 32)
	if err != nil {
		return 0, fmt.Errorf("cannot parse generation %q: %w", s, ErrGeneration)
	}
	return uint32(g), nil
}
