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
	Do Verb   `json:"do"`
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
	V  int    `json:"v"`
	ID uint64 `json:"id,omitempty"`
	// OK is false exactly when there is an Error.
	OK bool `json:"ok"`
	// More tells that another line follows for this request.
	More  bool            `json:"more,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"`
	Error *Error          `json:"error,omitempty"`
}

// Code is what went wrong, for programs.
type Code string

// The codes of errors.
const (
	BadRequest     Code = "bad-request"
	UnknownRequest Code = "unknown-request"
	UnknownService Code = "unknown-service"
	NotAllowed     Code = "not-allowed"
	Refused        Code = "refused"
	Unavailable    Code = "unavailable"
	TooMany        Code = "too-many"
	TooLarge       Code = "too-large"
	Failed         Code = "failed"
)

// Error is why a request was not carried out.
type Error struct {
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
