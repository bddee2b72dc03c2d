package control

import (
	"encoding/json"

	"github.com/brood-project/brood/internal/scoreboard"
)

// Version is the one version of the protocol that this package speaks.
const Version = 1

// Verb says what is asked for.
type Verb string

// The requests. docs/control.md tells what each does and answers.
const (
	VerbHello    Verb = "hello"
	VerbPicture  Verb = "picture"
	VerbRecorder Verb = "recorder"
	VerbEvents   Verb = "events"
	VerbPlan     Verb = "plan"
	VerbReload   Verb = "reload"
	VerbRestart  Verb = "restart"
	VerbScale    Verb = "scale"
	VerbPause    Verb = "pause"
	VerbResume   Verb = "resume"
	VerbWake     Verb = "wake"
	VerbReset    Verb = "reset"
	VerbDrain    Verb = "drain"
	VerbStop     Verb = "stop"
)

// Request is one line from the client.
type Request struct {
	// V is the version of the protocol; the client fills it in.
	V int `json:"v"`
	// ID is repeated in every line of the answer.
	ID uint64 `json:"id,omitempty"`
	// Do is what is asked for.
	Do Verb `json:"do"`
	// Service is its name or its key; "" is all of them, where the request can
	// be about all.
	Service string `json:"service,omitempty"`
	// Workers and Memory have a picture drawn with every worker, and with memory
	// and CPU time; both cost more the more workers there are.
	Workers bool `json:"workers,omitempty"`
	Memory  bool `json:"memory,omitempty"`
	// Follow has the events go on until the client hangs up. Since leaves out
	// those up to this sequence number.
	Follow bool   `json:"follow,omitempty"`
	Since  uint64 `json:"since,omitempty"`
	// Max, Min and Spare are what scale sets; nil leaves it as it is.
	Max   *int `json:"max,omitempty"`
	Min   *int `json:"min,omitempty"`
	Spare *int `json:"spare,omitempty"`
	// Deadline is for how long, in nanoseconds from now, workers may finish their
	// clients in a drain; 0 is as long as the configuration says.
	Deadline int64 `json:"deadline,omitempty"`
	// Now has a stop wait for nobody.
	Now bool `json:"now,omitempty"`
}

// Response is one line from the server.
type Response struct {
	// V is the version of the protocol, ID that of the request.
	V  int    `json:"v"`
	ID uint64 `json:"id,omitempty"`
	// OK is false exactly when there is an Error.
	OK bool `json:"ok"`
	// More tells that another line follows for this request.
	More bool `json:"more,omitempty"`
	// Data is what was asked for; the table of requests says of which kind.
	Data json.RawMessage `json:"data,omitempty"`
	// Error is why there is no data.
	Error *Error `json:"error,omitempty"`
}

// Code is what went wrong, for programs.
type Code string

// The codes of errors.
const (
	BadRequest     Code = "bad-request"     // The line is no request, or one that makes no sense; the text says what is wrong with it.
	UnknownRequest Code = "unknown-request" // There is no such request.
	UnknownService Code = "unknown-service" // There is no service of that name.
	NotAllowed     Code = "not-allowed"     // The asker's role may not ask this.
	Refused        Code = "refused"         // It cannot be done as things are, such as a reload of a file with a mistake; nothing has changed.
	Unavailable    Code = "unavailable"     // The part of brood that would answer does not; try again.
	TooMany        Code = "too-many"        // Too many connections are open; this one is closed. Try again.
	TooLarge       Code = "too-large"       // The request is too long; the connection is closed.
	Failed         Code = "failed"          // It was tried and did not succeed.
)

// Error is why a request was not carried out.
type Error struct {
	// Code is for programs.
	Code Code `json:"code"`
	// Text is for people: what is wrong, and what to do about it.
	Text string `json:"text"`
	// Diagnostics are what is wrong with a configuration, when it was refused.
	Diagnostics []scoreboard.Diagnostic `json:"diagnostics,omitempty"`
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// Hello is the answer to hello: who is asked, and what the asker may do.
type Hello struct {
	// Versions are those of the protocol that are spoken.
	Versions []int `json:"versions"`
	// Brood is the version of the daemon, PID its process.
	Brood string `json:"brood"`
	PID   int32  `json:"pid"`
	// Role is the asker's: "none", "read", "operate" or "admin"; Requests are
	// those that it may send.
	Role     string `json:"role"`
	Requests []Verb `json:"requests"`
}

// Done is the answer of a request that changes something.
type Done struct {
	// Text says what has been done and for how long it holds, for people.
	Text string `json:"text"`
}
