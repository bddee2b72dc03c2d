package worker

import "fmt"

// Order is which of several idle workers gets the next client.
type Order uint8

const (
	// Shrink gives the next client to the worker that has waited at the
	// sockets for longest without leaving, time and again, so that the others
	// stay idle long enough to leave: the pool becomes as small as the load
	// allows. It costs no file and wakes one worker a client (EPOLLEXCLUSIVE,
	// epoll_ctl(2)). The default.
	Shrink Order = iota
	// Serial has idle workers queue up at a file lock, as Postfix's own
	// single-client daemons do: clients are spread evenly, all workers stay
	// warm, and the pool stays as large as its last peak while clients come
	// often enough.
	Serial
	// Turns spreads clients as evenly, without a lock: whoever has taken a client
	// goes to the end of the kernel's queue. It is what accept = "spread" in
	// brood.toml asks for.
	Turns
)

// envAccept is what brood says of the order, for a service of brood.toml.
const envAccept = "BROOD_ACCEPT"

// String is the value of -o accept_order=VALUE, with which the operator
// overrides the author.
func (o Order) String() string {
	switch o {
	case Serial:
		return "serial"
	case Turns:
		return "turns"
	}
	return "shrink"
}

func parseOrder(s string) (Order, error) {
	switch s {
	case "shrink":
		return Shrink, nil
	case "serial":
		return Serial, nil
	case "turns":
		return Turns, nil
	}
	return 0, fmt.Errorf("cannot use accept_order: want shrink, serial or turns, not %q", s)
}
