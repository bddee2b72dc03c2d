package native

import (
	"time"

	"github.com/brood-project/brood/internal/plan"
)

// Config is all that one brood.toml and the files it includes ask for. Nothing
// in it is changed once Load has returned; slices are shared between services
// where they are alike.
type Config struct {
	// File is the main file as it was given to Load.
	File string
	// Sources are the files that were read, environment files included.
	Sources Sources
	// Brood is the daemon's own part.
	Brood Brood
	// Services are in the order of the files, instances in that of their list.
	// No two have the same name.
	Services []*Service
	// Ceilings are the limits that several services share, in the order of the
	// files.
	Ceilings []*Ceiling
}

// Brood is the [brood] table: what concerns the daemon as a whole.
type Brood struct {
	// MaxWorkers is the most workers of all services together; 0 means no limit.
	MaxWorkers int
	// Runtime is the directory of brood's own sockets, and what {runtime}
	// stands for.
	Runtime string
	// Control is the path of the operators' socket, or ControlOff.
	Control string
	// Operators are the numbers of the groups whose members may operate by it.
	Operators []int
	// Drain is how long TERM waits for the workers to finish before brood does
	// what a second TERM does; 0 waits for ever.
	Drain time.Duration
	// Log is where brood's own lines go, and the default of every service.
	Log Log
}

// ControlOff is the value of Brood.Control without a socket, ControlSocket the name
// of the socket in Runtime that there is without a word about it.
const (
	ControlOff    = "off"
	ControlSocket = "brood.sock"
)

// Ceiling is one [ceiling.NAME] table: a limit over the workers of all the
// services that name it.
type Ceiling struct {
	Name string
	Pos  plan.Pos
	// Workers is the most of them at one time.
	Workers int
}

// Service is one [service.NAME] table, or one instance of it, with every
// setting resolved: templates merged, placeholders expanded, names looked up.
type Service struct {
	// Name is NAME, or NAME@INSTANCE.
	Name string
	// Instance is empty but for services with instances.
	Instance string
	// Template is the template that it is made from, or empty.
	Template string
	// Pos is where the service's table begins.
	Pos plan.Pos

	// Listen are the addresses in the order in which a worker receives them.
	Listen []Listen
	// Command is the argument vector; Program the absolute path of the file
	// to execute, or Command[0] when no System was there to find it.
	Command []string
	Program string
	// Protocol is how a worker gets its sockets and tells idle from busy.
	Protocol plan.Protocol
	// FD is the descriptor of the first socket, with the protocol none.
	FD int

	Workers Workers
	// Wait is how long the oldest client may wait in the accept queue before
	// a further worker is born, where the protocol does not tell who is idle.
	Wait time.Duration
	// Idle is how long a surplus worker stays without a client; 0 means for
	// ever.
	Idle time.Duration
	// Accept is which idle worker gets the next client.
	Accept AcceptOrder
	// Ceilings are the shared limits that its workers count towards.
	Ceilings []string

	// MaxUse (clients), MaxAge and MaxMemory (bytes of resident memory) are
	// what a worker is replaced after; 0 means never.
	MaxUse    int
	MaxAge    time.Duration
	MaxMemory int64

	Start   Start
	Stop    Stop
	Backoff Backoff
	// OnGiveUp is what happens when Backoff.Tries births have failed in a row.
	OnGiveUp plan.GiveUp
	// Essential has brood refuse to start, or to reload, without this service.
	Essential bool
	// Orphans is what workers do when the daemon dies without a word.
	Orphans OrphanFate

	// Heartbeat is the longest time between two WATCHDOG=1, Busy the longest
	// that one client may hold a worker; 0 means no limit.
	Heartbeat, Busy time.Duration
	// Every is the time between two wake-ups; 0 means none. EveryOnUse begins
	// to count only once a worker was born for another reason.
	Every      time.Duration
	EveryOnUse bool
	// Stress is what is done while the pool is nearly full.
	Stress StressReaction

	// Account is whom the worker runs as.
	Account Account
	// Directory is the working directory, absolute.
	Directory string
	// Umask is the file mode creation mask.
	Umask uint32
	// Env is the environment, each "NAME=value", sorted by name, without what
	// the protocol adds at birth.
	Env []string
	// Limits are the resource limits that differ from the daemon's.
	Limits []Limit
	Log    Log
}

// Listen is one address of a service.
type Listen struct {
	plan.Endpoint
	// Name is what the socket is called in LISTEN_FDNAMES; empty for the
	// service's name.
	Name string
	// Written is the address as the operator wrote it, placeholders expanded.
	Written string
	// Pos is where it is written.
	Pos plan.Pos
	// at is the same with its length.
	at span
}

// Workers are the bounds of a pool.
type Workers struct {
	// Min is how many live always, Spare how many idle ones are kept ready,
	// Max the most at one time.
	Min, Spare, Max int
}

// Start is how workers come.
type Start struct {
	// Timeout is how long a worker may take until it is ready; 0 for ever.
	Timeout time.Duration
	// Notify tells that a worker says READY=1.
	Notify bool
	// Ramp is the most births under way at one time.
	Ramp int
}

// Stop is how a worker is retired: no new clients, Drain for the one in hand,
// Signal, Timeout, KILL.
type Stop struct {
	Drain   time.Duration
	Signal  int
	Timeout time.Duration
}

// Backoff is how long no worker is born after one died in its cradle: First,
// then Factor times as long each time, up to Max. Tries is after how many in a
// row brood gives up; 0 means never.
type Backoff struct {
	First  time.Duration
	Factor float64
	Max    time.Duration
	Tries  int
}

// AcceptOrder is which idle worker the next client is given to.
type AcceptOrder uint8

// The orders. Packed keeps few workers warm, so that the others idle out;
// Spread takes turns.
const (
	Packed AcceptOrder = iota + 1
	Spread
)

// OrphanFate is what happens to workers whose daemon was killed.
type OrphanFate uint8

// OrphansStop has the kernel send them the service's stop signal; OrphansStay
// leaves them alone.
const (
	OrphansStop OrphanFate = iota + 1
	OrphansStay
)

// StressReaction is what a service does about a pool that is nearly full.
type StressReaction uint8

// StressEnvironment has workers born then see BROOD_STRESS=yes; StressRestart
// also retires those that were born before.
const (
	StressOff StressReaction = iota + 1
	StressEnvironment
	StressRestart
)

// Account is the identity of a worker. Names are as the operator wrote them;
// the numbers are -1, and GIDs is nil, where the daemon's own are kept, which is
// always so for a daemon without root.
type Account struct {
	User, Group string
	Groups      []string
	UID, GID    int
	GIDs        []int
	// Home and Shell are the user's, for HOME and SHELL.
	Home, Shell string
}

// Limit is one resource limit of prlimit(2).
type Limit struct {
	// Resource is the RLIMIT_ number on Linux.
	Resource int
	// Name is its name in brood.toml.
	Name string
	// Soft and Hard are the two values; Unlimited for none.
	Soft, Hard uint64
}

// Unlimited is RLIM_INFINITY.
const Unlimited = ^uint64(0)

// Log is where lines go.
type Log struct {
	// To is one of the Output words of package plan, or the absolute path of a file.
	To string
	// Format is "text" or "json".
	Format string
	// Facility is the facility with syslog and the journal.
	Facility string
	// Rate is the most lines per second of one service; 0 means no limit.
	Rate int
	// Keep is how many of a worker's last lines are kept as its last words.
	Keep int
}
