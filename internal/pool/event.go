package pool

// EventKind says what happened. Every kind has its case in Step.
type EventKind uint8

// The events.
const (
	// Started begins the life of the pool. It comes first, and once.
	Started EventKind = iota + 1
	// ClientWaits says that the watched socket has N clients waiting (0 when
	// the number is not known, which counts as one).
	ClientWaits
	// Reported is a status record from a child: PID, Generation and State are
	// what the record claims, Sender is who sent it as the kernel knows
	// (0 when it does not).
	Reported
	// Born answers Birth: the child of that Generation has PID.
	Born
	// Stillborn answers Birth: there is no child; Code is the errno. A Code
	// of 0 means that the birth was called off, because the client of a Single
	// pool was gone, or because one that was told to have failed tells what would
	// become of it: that is nobody's fault.
	Stillborn
	// Died says that the child PID has ended, with Code. It comes after Born,
	// and before another child is Born with the same PID.
	Died
	// Ticked says that the time armed by Arm has come. Early or needless ones
	// do no harm.
	Ticked
	// Looked answers Look: N clients wait at the socket; it is told as 1 or
	// more when the number is not known but there are any. Span is how long
	// the oldest of them has waited, 0 when that is not known; Took is how many of
	// those who were seen to wait before are known to be gone. PID is the one
	// that Look named, if any, and Held how many clients it has taken and not done
	// with; 0 also where that is not known.
	Looked
	// Replanned is a reload: Policy holds from now on, and every child leaves
	// when convenient.
	Replanned
	// Removed says that the plan has the service no more: its children are
	// ended, and when none is left, Gone tells. There is no way back: a
	// service of the same name in a later plan is another Pool. A second one
	// hastens the end.
	Removed
	// Pardoned ends a throttle before its time, on the operator's word, and
	// has a pool that gave up try again.
	Pardoned
	// Ready says that the child PID has started. A pool whose policy does not
	// wait for it takes it as a sign of life.
	Ready
	// Heartbeat says that the child PID is alive, on its own word.
	Heartbeat
	// Extended says that the child PID asks for Span from now on before a
	// start or a stop is held to have taken too long. It is not heard once a
	// pool that ends was hastened.
	Extended
	// Leaves says that the child PID takes no more clients, by its own
	// decision.
	Leaves
	// Measured answers Measure: the child PID has Memory bytes.
	Measured
	// Adjusted changes the policy; the children stay as they are.
	Adjusted
	// Scaled changes the limit to N, and nothing else, until the next plan.
	Scaled
	// Paused holds back births until Resumed. Those who live go on.
	Paused
	// Resumed ends a Paused.
	Resumed
	// Draining ends the pool gently: nobody is born, who is free goes, the
	// others finish their clients, for Span at most (0: as long as they
	// need). Gone tells when nobody is left; Removed hastens it. A second
	// one sets the time anew.
	Draining
	// SlotFree is what Offer asks for.
	SlotFree
	// Yield is what Ask asks for.
	Yield
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
	// N is a number of clients; for Scaled, of children.
	N int32
	// Took and Held are numbers of clients too, with Looked.
	Took, Held int32
	// Unloaded goes with Died: the program could not be executed.
	Unloaded bool
	// Span goes with Looked, Extended and Draining.
	Span Duration
	// Memory is a number of bytes, with Measured.
	Memory int64
	// Policy goes with Replanned and Adjusted.
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
	// Terminate sends TERM to PID. At is since when it has a client, 0 if that is
	// not so or not known.
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
	// Look asks how many clients wait, and how many PID has, if there is one. MUST
	// be answered by Looked.
	Look
	// Tell has something to say to the operator: Note says what.
	Tell
	// Gone is the last action: nothing of the service is left.
	Gone
	// Retire tells PID to take no more clients, where its protocol can say so.
	// Stop follows, in this step or a later one.
	Retire
	// Stop sends the service's own stop signal to PID. At is as with Terminate.
	Stop
	// Snapshot keeps a picture of PID (where it hangs, what it holds open).
	// What ends the child follows in the same step, so take it at once.
	Snapshot
	// Measure asks how much memory PID has. It is answered by Measured, or,
	// where the child is gone, not at all.
	Measure
	// Offer asks for a SlotFree to be told to Pool, another one: a ceiling
	// holds a place for it. MUST be done.
	Offer
	// Ask asks for a Yield to be told to Pool, another one: this one waits at
	// a ceiling that both are under.
	Ask
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
	// NoteKilled: PID ignored the stop signal and was killed (PID).
	NoteKilled
	// NoteStartTimeout: PID has not started in time, and is ended (PID, Age).
	NoteStartTimeout
	// NoteSilent: PID has promised to speak and has not for the time of the
	// policy, and is ended (PID, Age, Uses).
	NoteSilent
	// NoteBusy: PID was with one client for too long, and is ended (PID, Age,
	// Uses).
	NoteBusy
	// NoteGaveUp: N births have failed in a row, and no more are tried (PID,
	// Code, Uses, Age as in NoteThrottled). What follows is the caller's.
	NoteGaveUp
	// NoteRetired: PID is not needed any more, and is asked to leave (PID,
	// Age, Uses).
	NoteRetired
	// NoteReplaced: PID is replaced because of MaxUse, MaxAge, MaxMemory or a
	// new plan; its successor lives, or will (PID, Age, Uses; N is a Reason).
	NoteReplaced
	// NoteCeiling: clients wait, and a ceiling over several pools permits no
	// birth (N is the ceiling's limit).
	NoteCeiling
)

// Reason is why a child is replaced.
type Reason int32

// The reasons.
const (
	ReasonUse Reason = iota + 1
	ReasonAge
	ReasonMemory
	ReasonPlan
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
	// Pool goes with Offer and Ask.
	Pool *Pool
}
