package mastercf

import (
	"github.com/brood-project/brood/internal/plan"
)

// Options say what to load, and how to ask the machine.
type Options struct {
	// Dir is the configuration directory; empty means MAIL_CONFIG of Env,
	// else the compiled-in one.
	Dir string
	// Env is the manager's own environment, NAME=VALUE.
	Env []string
	// Verbose is how often -v was given. Children get one -v for any number,
	// as with Postfix.
	Verbose int
	// Debug is set when the manager was started with -d; children get -d.
	Debug bool
	// DefaultsFrom gives the compiled-in defaults of the installed Postfix. It
	// is called once at most in a Load. When it is nil or fails, Debian's
	// defaults are used; a failure is told as a warning.
	DefaultsFrom func() (Printed, error)
	// Lookups answer what the configuration asks of the machine.
	Lookups Lookups
	// Running is the configuration that runs, on a reload: what cannot be
	// changed while it does is kept from it, with a warning.
	Running *Config
}

// Config is what a configuration directory says, resolved. Nothing in it
// changes once it is loaded.
type Config struct {
	// ConfigDir is the configuration directory, as it was named.
	ConfigDir string
	// QueueDir is the working directory of master and children, absolute.
	QueueDir string
	// DataDir holds master.lock, DaemonDir the programs.
	DataDir, DaemonDir string
	// CommandDir holds the commands of the operator, postlog(1) among them.
	CommandDir string
	// ProcessIDDir is where master.pid is, relative to QueueDir or absolute.
	ProcessIDDir string
	// MailOwner owns sockets, locks and data.
	MailOwner Owner
	// SyslogName goes before "/master" in the log's tag.
	SyslogName string
	// SyslogFacility is its name in syslog(3), such as "mail".
	SyslogFacility string
	// MaillogFile is empty when the log goes to syslog.
	MaillogFile string
	// PostlogPath is the absolute path of postlogd's socket.
	PostlogPath string
	// Hostname is myhostname.
	Hostname string
	// MailVersion is the version of the installed Postfix.
	MailVersion string
	// InetProtocols and InetInterfaces are the values as expanded; IPv4 and
	// IPv6 are the protocols in use.
	InetProtocols, InetInterfaces string
	IPv4, IPv6                    bool
	// ThrottleTime is service_throttle_time in seconds, 1 or more.
	ThrottleTime int
	// DefaultProcessLimit is 1 or more.
	DefaultProcessLimit int
	// Environment is what every child is born with, but for GENERATION.
	Environment []string
	// Params are all settings, for what is not named above.
	Params *Params
	// Plan is what to run; nil when a diagnostic was an error.
	Plan *plan.Plan
}

// Owner is a user of the system.
type Owner struct {
	Name     string
	UID, GID int
}

// StopSeconds is how long a child of a service that is stopped may ignore TERM
// before it is killed. Postfix waits for ever.
const StopSeconds = 10

// Ramp is how many children may be on their way while as many clients wait.
// Postfix has one at a time.
const Ramp = 4
