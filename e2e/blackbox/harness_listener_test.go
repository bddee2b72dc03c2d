package blackbox

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tcpWaiting is how many clients wait in the accept queue of a listening TCP
// socket; tcpBacklog is how many may.
func tcpWaiting(t *testing.T, address string) int {
	t.Helper()
	waiting, _ := queuesBefore(t, "-ltnH", address, 2)
	return waiting
}

func tcpBacklog(t *testing.T, address string) int {
	t.Helper()
	_, backlog := queuesBefore(t, "-ltnH", address, 2)
	return backlog
}

// unixQueues are the same two numbers for the unix socket that a child was
// born with. It is found by its inode: a master may have bound it to a path
// relative to the queue directory, which says nothing.
func unixQueues(t *testing.T, c *child) (waiting, backlog int) {
	t.Helper()
	inode := strings.Trim(socketAt(c, listenFd), "socket:[]")
	return queuesBefore(t, "-lxH", inode, 3)
}

// queuesBefore finds the line of ss(8) that has a word, and the two numbers
// that stand so many columns before it.
func queuesBefore(t *testing.T, flags, word string, columns int) (waiting, backlog int) {
	t.Helper()
	out, err := exec.Command("ss", flags).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if i := slices.Index(fields, word); i >= columns {
			waiting, _ = strconv.Atoi(fields[i-columns])
			backlog, _ = strconv.Atoi(fields[i-columns+1])
			return waiting, backlog
		}
	}
	t.Fatalf("ss %s shows no listener %s:\n%s", flags, word, out)
	return 0, 0
}

// listenerAddresses are the addresses of a child's listening TCP sockets, in
// the order of its descriptors.
func listenerAddresses(t *testing.T, c *child) []string {
	t.Helper()
	out, err := exec.Command("ss", "-ltneH").Output()
	if err != nil {
		t.Fatal(err)
	}
	var addresses []string
	for _, d := range c.Descriptors {
		inode, isSocket := strings.CutPrefix(d.Link, "socket:[")
		if d.FD < listenFd || !isSocket {
			continue
		}
		for line := range strings.Lines(string(out)) {
			if fields := strings.Fields(line); slices.Contains(fields, "ino:"+strings.TrimSuffix(inode, "]")) {
				addresses = append(addresses, fields[3])
			}
		}
	}
	return addresses
}
