//go:build !amd64 || brood_portable

package child

import (
	"encoding/binary"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// notify has deaths written to an eventfd.
func notify(fd int) error {
	deaths := make(chan os.Signal, 1)
	signal.Notify(deaths, unix.SIGCHLD)
	go func() {
		one := binary.NativeEndian.AppendUint64(nil, 1)
		for range deaths {
			_, _ = unix.Write(fd, one)
		}
	}()
	return nil
}
