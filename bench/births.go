package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The contenders that have no master.cf.
const (
	bare    = "limit"
	s6      = "s6-ipcserver"
	systemd = "systemd-socket-activate"
)

// arena holds what is running for a row.
type arena struct {
	b         *bench
	instances []*instance
	commands  []*exec.Cmd
}

func (b *bench) newArena() *arena { return &arena{b: b} }

func (a *arena) close() {
	for _, in := range a.instances {
		in.stop()
	}
	for _, cmd := range a.commands {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		_ = cmd.Wait()
	}
}

// master starts a master with so many services and returns the socket of the
// last.
func (a *arena) master(name string, services int) (socket string, err error) {
	in, err := a.b.tools.started(name, services, "")
	if err != nil {
		return "", err
	}
	a.instances = append(a.instances, in)
	return in.socket(fmt.Sprint("s", services-1)), nil
}

// program starts a server that makes its own socket; its arguments have
// SOCKET in the place of the path.
func (a *arena) program(args ...string) (socket string, err error) {
	dir, err := a.b.tools.fresh("p")
	if err != nil {
		return "", err
	}
	socket = filepath.Join(dir, "socket")
	for i := range args {
		if args[i] == "SOCKET" {
			args[i] = socket
		}
	}
	cmd := detached(args[0], args[1:]...)
	if err := cmd.Start(); err != nil {
		return "", err
	}
	a.commands = append(a.commands, cmd)
	a.b.tools.atEnd(func() { _ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) })
	return socket, until(args[0]+" to listen", time.Millisecond, func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ECONNREFUSED)
	})
}

// limit starts the bare loop, so many times.
func (a *arena) limit(loops int) (string, error) {
	return a.program(a.b.tools.limit, "SOCKET", strconv.Itoa(loops), a.b.tools.worker)
}

// peers starts those of the other managers that are installed.
func (a *arena) peers() (map[string]string, error) {
	sockets := map[string]string{}
	for name, args := range map[string][]string{
		s6:      {"s6-ipcserver", "-c", "1000", "SOCKET", a.b.tools.worker, "inetd"},
		systemd: {"systemd-socket-activate", "--accept", "--inetd", "-l", "SOCKET", a.b.tools.worker, "inetd"},
	} {
		if _, err := exec.LookPath(args[0]); err != nil {
			continue
		}
		socket, err := a.program(args...)
		if err != nil {
			return nil, err
		}
		sockets[name] = socket
	}
	return sockets, nil
}

// turn is a subject that has clients served at a socket.
func (b *bench) turn(name, socket string, clients int) subject {
	count := max(b.size.births, 4*clients)
	return subject{name, func() (measures, error) { return b.tools.births(socket, count, clients) }}
}

// birthOne is row 1.
func birthOne(b *bench) (*result, error) {
	a := b.newArena()
	defer a.close()
	loop, err := a.limit(1)
	if err != nil {
		return nil, err
	}
	turns := []subject{b.turn(bare, loop, 1)}
	for _, name := range masters {
		socket, err := a.master(name, 1)
		if err != nil {
			return nil, err
		}
		turns = append(turns, b.turn(name, socket, 1))
	}
	others, err := a.peers()
	if err != nil {
		return nil, err
	}
	for name, socket := range others {
		turns = append(turns, b.turn(name, socket, 1))
	}
	s, err := interleave(b.size.rounds, turns)
	if err != nil {
		return nil, err
	}
	res := &result{notes: []string{"From connect to first byte, the median of a round; one client at a time."}}
	goals := map[string]goal{bare: {atMost, 1.20}, postfix: {atMost, 0.75}}
	for _, name := range []string{bare, postfix, s6, systemd} {
		if peer := s.of(name, latency); peer != nil {
			res.figures = append(res.figures, &figure{
				what: "birth, 1 service, 1 client", unit: "ms",
				ours: s.of(brood, latency), peer: peer, peerName: name, goal: goals[name],
			})
		}
	}
	return res, nil
}

// birthMany is row 2.
func birthMany(b *bench) (*result, error) {
	a := b.newArena()
	defer a.close()
	loop, err := a.limit(1)
	if err != nil {
		return nil, err
	}
	turns := []subject{b.turn(bare, loop, 1)}
	for _, services := range b.size.services {
		for _, name := range masters {
			socket, err := a.master(name, services)
			if err != nil {
				return nil, err
			}
			turns = append(turns, b.turn(at(name, services), socket, 1))
		}
	}
	s, err := interleave(b.size.rounds, turns)
	if err != nil {
		return nil, err
	}
	first, last := b.size.services[0], b.size.services[len(b.size.services)-1]
	return &result{
		figures: []*figure{
			{
				what: fmt.Sprintf("birth at %d services, against %d", last, first), unit: "ms",
				ours: s.of(at(brood, last), latency), peer: s.of(at(brood, first), latency),
				peerName: at(brood, first), goal: goal{atMost, 1.15},
			},
			{
				what: fmt.Sprintf("births at %d services", last), unit: "births/s",
				ours: s.of(at(brood, last), rate), peer: s.of(at(postfix, last), rate),
				peerName: postfix, goal: goal{atLeast, 5},
			},
		},
		charts: []*chart{latencyChart(s, b.size.services)},
	}, nil
}

// at names a contender and how many of something it has.
func at(name string, n int) string { return fmt.Sprintf("%s at %d", name, n) }

// loopsPerCore is how many bare loops together give the most births.
const loopsPerCore = 2

// birthClients is row 3.
func birthClients(b *bench) (*result, error) {
	const goalClients = 8
	a := b.newArena()
	defer a.close()
	sockets := map[string]string{}
	for _, name := range masters {
		socket, err := a.master(name, 1)
		if err != nil {
			return nil, err
		}
		sockets[name] = socket
	}
	var turns []subject
	for _, clients := range b.size.clients {
		loop, err := a.limit(min(clients, loopsPerCore*cores()))
		if err != nil {
			return nil, err
		}
		turns = append(turns, b.turn(at(bare, clients), loop, clients))
		for _, name := range masters {
			turns = append(turns, b.turn(at(name, clients), sockets[name], clients))
		}
	}
	s, err := interleave(b.size.rounds, turns)
	if err != nil {
		return nil, err
	}
	res := &result{
		charts: []*chart{rateChart(s, b.size.clients)},
		notes:  []string{fmt.Sprintf("The limit with several clients is %d bare loops at a core, side by side.", loopsPerCore)},
	}
	for _, clients := range b.size.clients {
		goals := map[string]goal{}
		if clients == goalClients {
			goals = map[string]goal{postfix: {atLeast, 1.5}, bare: {atLeast, 0.85}}
		}
		for _, name := range []string{postfix, bare} {
			res.figures = append(res.figures, &figure{
				what: fmt.Sprintf("births, 1 service, clients: %d", clients), unit: "births/s",
				ours: s.of(at(brood, clients), rate), peer: s.of(at(name, clients), rate),
				peerName: name, goal: goals[name],
			})
		}
	}
	return res, nil
}
