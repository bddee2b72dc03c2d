package control

import "time"

// The limits, with the reason of each. docs/control.md shows them.
const (
	// requestMost is the longest request in bytes, its newline included. The
	// longest that means anything is far below.
	requestMost = 64 << 10
	// serviceMost is the longest name of a service in bytes.
	serviceMost = 255
	// connectionsMost is how many connections are served at one time.
	connectionsMost = 32
	// backlog is how many clients wait for the server to take them. Those that
	// come on top wait in connect(2).
	backlog = 128
	// answerMost is the longest line that a client takes for an answer, in
	// bytes: some twenty times the picture of 5,000 services with workers.
	answerMost = 256 << 20
)

// times are limits of time; tests make them shorter.
type times struct {
	// request is how long a request may take from its first byte to its last,
	// idle how long a connection may do nothing between two.
	request, idle time.Duration
	// answer is how long the reader may take for one line of an answer.
	answer time.Duration
	// reserve is how long the one client that is served without a free
	// descriptor may take for its request: the others wait behind it.
	reserve time.Duration
	// shortage is when a descriptor is looked for again if there is none, not
	// even in reserve.
	shortage time.Duration
	// farewell is how long Close waits for answers under way.
	farewell time.Duration
}

var usualTimes = times{
	request:  5 * time.Second,
	idle:     60 * time.Second,
	answer:   10 * time.Second,
	reserve:  time.Second,
	shortage: time.Second,
	farewell: time.Second,
}

// share is how many connections peers of a role may have: of one user, and when
// no more are let in because so many of all users are open. What lies between is
// kept for those above them.
type share struct{ user, all int }

var shares = map[Role]share{
	Read:    {8, 20},
	Operate: {16, 28},
	Admin:   {connectionsMost, connectionsMost},
}
