package plan

// Wishes is what only brood.toml can ask of a service. A service of master.cf
// has none.
type Wishes struct {
	// FD is the descriptor of the first socket, with the protocol none.
	FD int
	// SocketNames are what the sockets are called in LISTEN_FDNAMES, one for
	// each endpoint.
	SocketNames []string
	// ListenPos is where each endpoint is written.
	ListenPos []Pos
	// Account is whom the workers run as; nil for whom the daemon does.
	Account *Account
	// Limits are the resource limits that differ from the daemon's.
	Limits []Limit
	// OrphanSignal is what the kernel sends the workers when the daemon is
	// killed; 0 leaves them alone.
	OrphanSignal int
	// Essential has the daemon refuse to start without this service.
	Essential bool
	// OnGiveUp is what happens when its workers cannot be started.
	OnGiveUp GiveUp
	// Ceilings are the names of the limits that its workers count towards.
	Ceilings []string
	// Output is where what the workers write goes.
	Output Output
}

// Account is the identity of a worker. The numbers are -1, and GIDs is nil,
// where the daemon's own are kept.
type Account struct {
	UID, GID int
	GIDs     []int
}

// Limit is one resource limit of prlimit(2): the RLIMIT_ number on Linux, and
// the two values.
type Limit struct {
	Resource   int
	Soft, Hard uint64
}

// GiveUp is what becomes of a service whose workers cannot be started.
type GiveUp uint8

// GiveUpRetry never gives up; GiveUpHold keeps the sockets, so that clients
// queue until an operator steps in; GiveUpClose closes them, so that clients are
// refused; GiveUpExit ends the daemon.
const (
	GiveUpRetry GiveUp = iota + 1
	GiveUpHold
	GiveUpClose
	GiveUpExit
)

// Output is where lines go.
type Output struct {
	// To is one of the words below or the absolute path of a file.
	To string
	// JSON has each line be an object; otherwise it is text.
	JSON bool
	// Facility is the facility's name, with syslog and the journal.
	Facility string
	// Rate is the most lines per second of one service; 0 means no limit.
	Rate int
	// Keep is how many of a worker's last lines are kept as its last words.
	Keep int
}

// The values of Output.To that are not a path.
const (
	OutputStdout  = "stdout"
	OutputStderr  = "stderr"
	OutputSyslog  = "syslog"
	OutputJournal = "journal"
	OutputDiscard = "discard"
)

// Ceiling is a limit over the workers of several services.
type Ceiling struct {
	// Name is how the services name it; "" is the one over all services,
	// which they need not name.
	Name string
	// Workers is the most of them at one time.
	Workers int
}
