package master

import (
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/pool"
)

// The variables of sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3).
const (
	envListenFDs   = "LISTEN_FDS"
	envListenPID   = "LISTEN_PID"
	envListenNames = "LISTEN_FDNAMES"
	envNotify      = "NOTIFY_SOCKET"
	envWatchdog    = "WATCHDOG_USEC"
	envWatchdogPID = "WATCHDOG_PID"
)

// firstSocket is SD_LISTEN_FDS_START.
const firstSocket = 3

var (
	pidOfListener = []string{envListenPID}
	pidOfBoth     = []string{envListenPID, envWatchdogPID}
)

// equipSystemd gives the sockets from 3 on, after them what workers have put into
// the service's store, and the address to which a worker says how it is.
func (m *Master) equipSystemd(b *birth) error {
	s := b.service
	if err := m.openNotify(); err != nil {
		return err
	}
	if err := m.standard(b, -1); err != nil {
		return err
	}
	b.sockets(firstSocket)
	names := strings.Join(s.plan.Wishes.SocketNames, ":")
	for _, stored := range s.stored {
		b.spec.Files = append(b.spec.Files, stored.fd)
		names += ":" + stored.name
	}
	b.spec.PIDEnv = pidOfListener
	b.spec.EnvMore = append(b.spec.EnvMore,
		envListenFDs+"="+strconv.Itoa(len(b.spec.Files)-firstSocket),
		envListenNames+"="+names,
		envNotify+"="+m.notify.name)
	if beat := s.plan.Policy.Heartbeat; beat > 0 {
		b.spec.PIDEnv = pidOfBoth
		b.spec.EnvMore = append(b.spec.EnvMore, envWatchdog+"="+strconv.FormatInt(int64(beat/microsecond), 10))
	}
	return nil
}

// microsecond is the unit of the protocol.
const microsecond = pool.Millisecond / 1000
