package postfix

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/ports"
)

// A thousand births leave no descriptor and no dead child behind in the master.
func TestThousandBirths(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		// The program names the daemon that was born for the client.
		must(t, os.WriteFile(in.dir+"/parent", []byte("#!/bin/sh\necho $PPID\n"), 0o755))
		addr := address(ports.Free(t))
		in.row(addr+" inet", "n n n - 0 spawn -o max_use=1 user=nobody argv="+in.dir+"/parent")
		in.write()
		pid := in.start()
		for range 10 {
			parentOf(t, addr)
		}
		in.settled(pid)
		before := descriptors(pid)
		const births, clients = 1000, 4
		born := map[string]bool{}
		answers := make(chan string)
		for range clients {
			go func() {
				for range births / clients {
					answers <- parentOf(t, addr)
				}
			}()
		}
		for range births {
			born[<-answers] = true
		}
		if len(born) != births {
			t.Errorf("%d clients met %d daemons", births, len(born))
		}
		in.settled(pid)
		var after map[string]string
		await.That(in, fmt.Sprintf("the master to have no more descriptors than before, %v", before), func() bool {
			after = descriptors(pid) // a log line may be on its way just now
			return len(after) <= len(before)
		}, func() string { return fmt.Sprintf("it has %v", after) })
	}, mainlyBrood()...)
}

// parentOf is one client: it asks for the pid of the daemon that serves it.
func parentOf(t *testing.T, addr string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Errorf("the daemon did not answer: %v", err)
	}
	return strings.TrimSpace(line)
}

// settled waits until the daemons that have served their one client are buried.
func (in *instance) settled(master int) {
	in.Helper()
	await.That(in, "the spawn daemons to be gone", func() bool {
		for _, p := range everyProcess() {
			if p.ppid == master && p.name == "spawn" {
				return false
			}
		}
		return true
	})
}
