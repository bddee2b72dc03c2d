package demo

import (
	"os"
	"path/filepath"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// What lies in the directory of the demonstration.
const (
	// SocketFile is where clients connect.
	SocketFile = "door"
	// GreetingFile holds what a worker says to its client. A worker that
	// cannot read it dies at birth.
	GreetingFile = "greeting"
	// WordsFile takes what the workers write to their standard error.
	WordsFile = "workers.log"
)

// The service, as an operator would write it.
const (
	// Service is its name.
	Service = "greet"
	// WorkerCommand is the argument by which brood becomes a worker of it.
	WorkerCommand = "demo-worker"
	// Limit is the most workers at one time.
	Limit = 3
	// Throttle is how long no worker is born after one died at birth.
	Throttle = 3 * pool.Second
)

const backlog = 64

// Plan is the one service of the demonstration below dir, whose workers run
// the brood command at program. Both are absolute.
func Plan(dir, program string) *plan.Plan {
	return &plan.Plan{
		Source: dir,
		Services: []*plan.Service{{
			Name:      Service,
			Key:       Service,
			Canonical: SocketFile,
			Pos:       plan.Pos{File: dir},
			Transport: plan.Unix,
			Endpoints: []plan.Endpoint{{
				Network: plan.NetUnix,
				Path:    filepath.Join(dir, SocketFile),
				Mode:    0o600, UID: -1, GID: -1,
				Backlog: backlog,
			}},
			Protocol: plan.ProtocolPostfix,
			Command: plan.Command{
				Path: program,
				Args: []string{filepath.Base(program), WorkerCommand, "-n", Service, "-t", "unix"},
				// The worker package would read Postfix's main.cf; here is none.
				Env:           []string{"MAIL_CONFIG=" + dir, "PATH=" + os.Getenv("PATH")},
				Dir:           dir,
				Umask:         0o077,
				IgnoreSIGPIPE: true,
			},
			Policy: &pool.Policy{Limit: Limit, Throttle: Throttle},
		}},
	}
}
