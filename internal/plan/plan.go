package plan

import "github.com/brood-project/brood/internal/pool"

// Plan is everything that the operator wants of one running brood.
type Plan struct {
	// Source is the file or the configuration directory that the plan was
	// read from, as the operator named it.
	Source string
	// Services are in the order of the file. No two have the same Key.
	Services []*Service
	// Ceilings are the limits that services share, in the order in which a
	// service takes its places; the one over all services comes last.
	Ceilings []Ceiling
}

// Service is one row of master.cf or one table of brood.toml: who listens
// where, and what serves it.
type Service struct {
	// Name is what the operator wrote; every log line uses it.
	Name string
	// Key identifies the service over reloads: two plans that hold the same
	// key speak of the same service, and its sockets stay open. For Postfix it
	// is the canonical endpoint name and the transport, such as "inet:25" or
	// "unix:public/cleanup"; for native services it is the service's name.
	Key string
	// Canonical is the endpoint name as Postfix logs it, such as "25",
	// "127.0.0.1:25" or "public/cleanup"; empty for native services.
	Canonical string
	// Pos is where the service is written, for diagnostics after parsing
	// (an address in use, a program that does not exist).
	Pos Pos
	// Transport is how clients reach it; Protocol how a worker gets the
	// sockets and tells idle from busy.
	Transport Transport
	Protocol  Protocol
	// Endpoints are the addresses to listen at, in the order in which a child
	// receives them. Never empty.
	Endpoints []Endpoint
	// Command is the program and the surroundings it is born into.
	Command Command
	// Policy is how its pool lives. Services that live alike share one, and
	// nobody changes it.
	Policy *pool.Policy
	// Wishes is nil for a service of master.cf.
	Wishes *Wishes
}

// Transport names how clients reach a service, in master.cf's words.
type Transport uint8

// The transports. UDP is brood's own and cannot be written in master.cf.
const (
	Inet      Transport = iota + 1 // stream over TCP
	Unix                           // stream over a unix-domain socket
	Fifo                           // bytes through a named pipe
	UnixDgram                      // datagrams over a unix-domain socket
	Pass                           // stream over a unix-domain socket; clients pass descriptors
	UDP                            // datagrams over UDP (native only)
	Vsock                          // stream over AF_VSOCK (native only)
)

// Protocol names how a worker receives its listening sockets.
type Protocol uint8

// The protocols; docs/worker.md describes each, byte by byte.
const (
	ProtocolPostfix Protocol = iota + 1 // 3, 4 flow control, 5 status, sockets from 6; GENERATION
	ProtocolSystemd                     // LISTEN_FDS, sockets from 3; sd_notify
	ProtocolFastCGI                     // the listening socket is descriptor 0
	ProtocolInetd                       // the accepted connection is 0 and 1
	ProtocolNone                        // the listening socket at a descriptor of the operator's choice
)

// Command is the program of a service and the surroundings it is born into.
// The strings are shared between services where they are alike; nobody changes
// them.
type Command struct {
	// Path is the absolute path of the program.
	Path string
	// Args is the argument vector, argv[0] included.
	Args []string
	// StressArgs is the argument vector of a child born under stress; nil
	// when it is the same as Args.
	StressArgs []string
	// Env is the whole environment but for what the protocol adds at birth.
	Env []string
	// Dir is the working directory.
	Dir string
	// Umask is the file mode creation mask.
	Umask int
	// IgnoreSIGPIPE has the child born with SIGPIPE ignored, as Postfix
	// daemons are.
	IgnoreSIGPIPE bool
}

// Network is the kind of socket of an endpoint.
type Network uint8

// The networks.
const (
	NetTCP Network = iota + 1
	NetUDP
	NetUnix
	NetUnixgram
	NetFifo
	NetVsock
)

// Endpoint is one address to listen at. It is comparable: two equal endpoints
// are one socket, which a reload keeps open.
type Endpoint struct {
	// Addr is an IP address in text form, "" for every address of both
	// families on one socket; Port goes with it. TCP, UDP (and the CID in
	// decimal for vsock).
	Addr string
	// Path is the absolute path of a unix socket or fifo. A leading "@" makes
	// it an abstract name.
	Path string
	// UID and GID own the file; -1 leaves them as they come.
	UID, GID int
	// Backlog is the length of the accept queue asked of the kernel.
	Backlog int
	Port    uint32
	// Mode is the permission bits of the socket or fifo file.
	Mode    uint32
	Network Network
	// AsOwner has the file made with its owner's powers alone, and whatever
	// file lies in its place replaced, as Postfix does. Otherwise a folder of
	// root's is worked in as root, and only a stale socket or fifo is replaced.
	AsOwner bool
	// V6Only has an IPv6 socket leave IPv4 alone.
	V6Only bool
}
