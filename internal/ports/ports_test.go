package ports

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

// TestEachIsGivenOnce has many ask at the same time.
func TestEachIsGivenOnce(t *testing.T) {
	const askers, times = 20, 20
	ports := make(chan int, askers*times)
	var all sync.WaitGroup
	for range askers {
		all.Go(func() {
			for range times {
				ports <- Free(t)
			}
		})
	}
	all.Wait()
	close(ports)
	seen := map[int]bool{}
	for port := range ports {
		if seen[port] || port < first || port >= first+many {
			t.Errorf("port %d, given before: %v", port, seen[port])
		}
		seen[port] = true
	}
}

// TestTakenOnesAreLeftOut has somebody listen, at one address, at the port whose
// turn is next.
func TestTakenOnesAreLeftOut(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		next := first + (begin+int(given.Load())+1)%many
		address := fmt.Sprintf("127.0.0.1:%d", next)
		if network == "tcp" {
			if l, err := net.Listen(network, address); err == nil {
				defer l.Close()
			}
		} else if c, err := net.ListenPacket(network, address); err == nil {
			defer c.Close()
		}
		if port := Free(t); port == next {
			t.Errorf("%s port %d is in use", network, port)
		}
	}
}
