package masterproto

// The names of the transports, as master.cf's second column and the argument
// of OptTransport spell them.
const (
	TransportInet      = "inet"       // stream sockets over TCP
	TransportUnix      = "unix"       // stream sockets in the file system
	TransportFifo      = "fifo"       // a named pipe, opened for reading and writing
	TransportUnixDgram = "unix-dgram" // a datagram socket in the file system
	TransportPass      = "pass"       // as unix; clients pass descriptors
)

// The options that a master puts before those of the operator, in the order in
// which it writes them. Those that take a value have it as the next argument,
// never glued to the letter, but for OptVerbose and the operator's own, which
// may be glued.
const (
	// OptSingle: the service is limited to one process.
	OptSingle = 'l'
	// OptUnlimited: the service has no process limit.
	OptUnlimited = 'z'
	// OptName takes the service's name as the operator wrote it. It is left
	// out when that is the base name of the command.
	OptName = 'n'
	// OptTransport takes the transport's name. Always there.
	OptTransport = 't'
	// OptDebug: the master itself runs with -d; stay attached to its terminal.
	OptDebug = 'd'
	// OptVerbose: log more; may be repeated.
	OptVerbose = 'v'
	// OptUnprivileged: give up root and run as the mail owner.
	OptUnprivileged = 'u'
	// OptChroot: make the queue directory the root directory.
	OptChroot = 'c'
	// OptParameter takes NAME=VALUE, which overrides the main.cf parameter.
	OptParameter = 'o'
	// OptSockets takes the number of listening sockets; left out when it is 1.
	OptSockets = 's'
)

// The options that a master never writes and an operator may, after the others.
const (
	// OptStdio: serve one client that is already connected to descriptor 0,
	// and leave; no master is involved.
	OptStdio = 'S'
	// OptDebugger: run debugger_command at start.
	OptDebugger = 'D'
	// OptStderr: log to the standard error as well.
	OptStderr = 'V'
	// OptMaxIdle takes a time; short for OptParameter with max_idle.
	OptMaxIdle = 'i'
	// OptMaxUse takes a number; short for OptParameter with max_use.
	OptMaxUse = 'm'
)

// ParameterStress is the parameter that tells a child whether its service is
// under stress: OptParameter with "stress=" or "stress=yes".
const ParameterStress = "stress"

// WakeupByte is what a master sends to wake a service up: one byte over a fresh
// connection, or into the fifo, or as a datagram.
const WakeupByte = 'W'

// The two main.cf parameters that every daemon obeys, as OptParameter names them.
const (
	// ParameterMaxIdle is the time without a client after which a child leaves.
	ParameterMaxIdle = "max_idle"
	// ParameterMaxUse is the number of clients after which a child leaves.
	ParameterMaxUse = "max_use"
)

// EnvConfig names the configuration directory when the master was started with
// -c; absent otherwise.
const EnvConfig = "MAIL_CONFIG"
