package pool

// EventKind says what happened. Every kind has its case in Step.
type EventKind uint8

// The events.
const (
	// Started begins the life of the pool. It comes first, and once.
	Started EventKind = iota + 1
	// ClientWaits says that the watched socket has N clients waiting (0 when
	// the number is not known, which counts as one). It may be told again with
	// a number once the clients have been counted.
	ClientWaits
	// Reported is a status record from a child: PID, Generation and State are
	// what the record claims, Sender is who sent it as the kernel knows
	// (0 when it does not).
	Reported
	// Born answers Birth: the child of that Generation has PID.
	Born
	// Stillborn answers Birth: there is no child; Code is the errno.
	Stillborn
	// Died says that the child PID has ended, with Code. It comes after Born,
	// and before another child is Born with the same PID.
	Died
	// Ticked says that the time armed by Arm has come. Early or needless ones
	// do no harm.
	Ticked
	// Looked answers Look: N clients wait at the socket; it is told as 1 or
	// more when the number is not known but there are any.
	Looked
	// Replanned is a reload: Policy holds from now on, and every child leaves
	// when convenient.
	Replanned
	// Removed says that the plan has the service no more: its children are
	// ended, and when none is left, Gone tells. There is no way back: a
	// service of the same name in a later plan is another Pool.
	Removed
	// Pardoned ends a throttle before its time, on the operator's word.
	Pardoned
)

// Report states of a child, as in the status record.
const (
	StateTaken     int32 = 0
	StateAvailable int32 = 1
)

// Event is one thing that happened. Only the fields that its Kind names count.
type Event struct {
	Kind       EventKind
	PID        int32
	Sender     int32
	Generation uint32
	State      int32
	// Code is how a child ended: 0 for a normal end, the exit status when
	// above 0, the negative signal number when below; for Stillborn the errno.
	Code int32
	// N is a number of clients.
	N int32
	// Policy goes with Replanned.
	Policy *Policy
}

// ActionKind says what the caller is to do.
type ActionKind uint8

// The actions.
const (
	// Watch asks for a ClientWaits as soon as a client waits.
	Watch ActionKind = iota + 1
	// Unwatch ends that.
	Unwatch
	// Birth asks for a child of Generation, under Stress or not. MUST be
	// answered by exactly one Born or Stillborn.
	Birth
	// Terminate sends TERM to PID.
	Terminate
	// Kill sends KILL to PID.
	Kill
	// Arm asks for a Ticked at At; it replaces what was armed before, and 0
	// asks for none.
	Arm
	// Wake sends a wake-up to the service's own socket.
	Wake
	// Rotate makes a new status channel for the children yet to be born and
	// closes the old one, by which the others learn to leave.
	Rotate
	// Look asks how many clients wait. MUST be answered by Looked.
	Look
	// Tell has something to say to the operator: Note says what.
	Tell
	// Gone is the last action: nothing of the service is left.
	Gone
)

// Note is what a Tell tells.
type Note uint8

// The notes. The fields of the Action that each fills are in parentheses.
const (
	// NoteDied: a child ended abnormally (PID, Code, Uses, Age).
	NoteDied Note = iota + 1
	// NoteStillborn: a birth failed (Generation, Code).
	NoteStillborn
	// NoteThrottled: no birth before At, because of the NoteDied or
	// NoteStillborn told just before (PID, Code, Uses, Age, At).
	NoteThrottled
	// NoteReleased: the throttle is over.
	NoteReleased
	// NoteLimit: all children that may be are there, and none is free
	// (N is the limit).
	NoteLimit
	// NoteStress: a period of stress begins.
	NoteStress
	// NoteWrongGeneration: a record named a known PID with another
	// Generation, and was ignored.
	NoteWrongGeneration
	// NoteBadState: a record held a State that does not exist (PID, Code).
	NoteBadState
	// NoteForged: PID's record was sent by another process, Code.
	NoteForged
	// NoteDeaf: PID has left its clients waiting since it was born; the pool
	// no longer counts on it (PID, Age).
	NoteDeaf
	// NoteKilled: PID ignored TERM and was killed (PID).
	NoteKilled
)

// Action is one thing to do. Only the fields that its Kind names count.
type Action struct {
	Kind       ActionKind
	Note       Note
	Stress     bool
	PID        int32
	Generation uint32
	Code       int32
	Uses       uint32
	N          int32
	Age        Duration
	At         Time
}
