package scoreboard

// Picture is all of a running brood at one moment.
type Picture struct {
	// Mode is "postfix" for a drop-in of master(8), "native" for a brood.toml.
	Mode string `json:"mode"`
	// Version is that of the daemon.
	Version string `json:"version"`
	// Source is the file or the directory of the configuration.
	Source string `json:"source"`
	// PID is the daemon's.
	PID int32 `json:"pid"`
	// At is when the picture was drawn, Started when the daemon was.
	At      int64 `json:"at"`
	Started int64 `json:"started"`
	// Stale is for how long the loop has not answered: this is the last picture
	// that it has drawn, or, if there was none, one without services. 0 for a
	// picture drawn just now.
	Stale int64 `json:"stale,omitempty"`
	// Reload is how the last reload went; nil if there has been none.
	Reload *Reload `json:"reload,omitempty"`
	// Closing tells that the daemon is being stopped, and that workers finish
	// their clients until Deadline (0: as long as they need).
	Closing  bool  `json:"closing,omitempty"`
	Deadline int64 `json:"deadline,omitempty"`
	Loop     Loop  `json:"loop"`
	// Memory is the daemon's own proportional set size, CPU the time that it
	// has used.
	Memory int64 `json:"memory"`
	CPU    int64 `json:"cpu"`
	// Workers and WorkersMax are those of all services together; WorkersMax is
	// 0 without a limit over all.
	Workers    int `json:"workers"`
	WorkersMax int `json:"workers_max,omitempty"`
	// Unmeasured is how many workers have no memory and CPU figures although
	// they were asked for: there are too many, they could not be read, or they
	// ended meanwhile. Those of their services fall short by them.
	Unmeasured int `json:"unmeasured,omitempty"`
	// Services are in the order of the configuration; behind them those that are
	// gone from it and wait for their last worker.
	Services []Service `json:"services"`
}

// Loop is how the daemon's event loop does.
type Loop struct {
	// Turns is how often it has had something to do.
	Turns uint64 `json:"turns"`
	// Slowest is the longest turn so far, Busy all of them together.
	Slowest int64 `json:"slowest"`
	Busy    int64 `json:"busy"`
	// Turn is how long turns take.
	Turn Histogram `json:"turn"`
}

// Reload is the outcome of one.
type Reload struct {
	At int64 `json:"at"`
	// Refused holds what stood in the way, a line each; nil when it was carried
	// out.
	Refused []string `json:"refused,omitempty"`
}

// Service is one pool with its sockets.
type Service struct {
	// Name is as the operator wrote it; Key tells services of one name apart
	// and is the same over reloads.
	Name string `json:"name"`
	Key  string `json:"key"`
	// File and Line are where it is written.
	File string `json:"file"`
	Line int    `json:"line"`
	// Protocol is how its workers take their sockets.
	Protocol string   `json:"protocol"`
	Command  []string `json:"command"`
	// Surroundings that matter when a birth fails: the user by name or number,
	// the working directory, the directory that is the worker's root.
	User      string    `json:"user,omitempty"`
	Directory string    `json:"directory,omitempty"`
	Chroot    string    `json:"chroot,omitempty"`
	Listen    []Address `json:"listen"`
	Essential bool      `json:"essential,omitempty"`
	// OnGiveUp is "retry", "hold", "close" or "exit"; "" for a service of
	// master.cf, which is never given up.
	OnGiveUp string `json:"on_give_up,omitempty"`

	// Limit is the most workers at one time, Min and Spare those that are kept.
	// Scaled tells that brood scale has set them until the next reload.
	Limit  int  `json:"limit"`
	Min    int  `json:"min,omitempty"`
	Spare  int  `json:"spare,omitempty"`
	Scaled bool `json:"scaled,omitempty"`
	// Opaque tells that the workers do not say whether they are busy: Idle then
	// counts all that live.
	Opaque bool `json:"opaque,omitempty"`
	// Every worker is counted in one of these five. Starting: on its way, or not
	// ready yet. Retiring: it takes no new client. Deaf: it has left its clients
	// waiting and is not counted on.
	Starting int `json:"starting"`
	Idle     int `json:"idle"`
	Busy     int `json:"busy"`
	Retiring int `json:"retiring"`
	Deaf     int `json:"deaf"`

	// Flags of the pool as it stands.
	Watching bool `json:"watching"` // a client would be heard
	Paused   bool `json:"paused,omitempty"`
	Draining bool `json:"draining,omitempty"`
	Missing  bool `json:"missing,omitempty"` // its sockets could not be opened; tried again
	GaveUp   bool `json:"gave_up,omitempty"` // no more births are tried
	Probing  bool `json:"probing,omitempty"` // one is tried to see whether things are better
	Waiting  bool `json:"waiting,omitempty"` // a birth waits for a place below a shared ceiling
	Removed  bool `json:"removed,omitempty"` // gone from the configuration
	// ThrottledUntil is until when no birth is tried, StressUntil how long
	// stress lasts; 0 when there is none.
	ThrottledUntil int64 `json:"throttled_until,omitempty"`
	StressUntil    int64 `json:"stress_until,omitempty"`
	// Failures is how many births have failed in a row.
	Failures int `json:"failures,omitempty"`
	// MissingWhy is what stands in the way of its sockets.
	MissingWhy string `json:"missing_why,omitempty"`

	// Queue is how many clients wait at its sockets, QueueAge for how long one
	// has at least been waiting there.
	Queue    int   `json:"queue"`
	QueueAge int64 `json:"queue_age"`

	Counts Counts `json:"counts"`
	// Wait is from the moment when a client was seen waiting to the moment when
	// a worker said that it had taken it. Nobody looks while a worker is free or
	// the pool is full, so it is how long births have clients wait. Job is how
	// long a worker was busy. Both only where the protocol tells.
	Wait Histogram `json:"wait,omitzero"`
	Job  Histogram `json:"job,omitzero"`
	// CPU is what all its workers have used, the dead and the living; Memory is
	// the proportional set size of the living. Both 0 when the picture was asked
	// for without them.
	CPU    int64 `json:"cpu,omitempty"`
	Memory int64 `json:"memory,omitempty"`

	// Failure is the last birth or life that failed, Death the last end of any
	// kind; nil if there was none.
	Failure *Death `json:"failure,omitempty"`
	Death   *Death `json:"death,omitempty"`
	// Workers are in the order of age; nil when the picture was asked for
	// without them.
	Workers []Worker `json:"workers,omitempty"`
	// Generation is that of the youngest worker.
	Generation uint32 `json:"generation,omitempty"`
}

// Address is one that a service listens at.
type Address struct {
	Address string `json:"address"`
	// Queue is how many clients wait there, of QueueMax at most (0: not known).
	Queue    int `json:"queue"`
	QueueMax int `json:"queue_max,omitempty"`
}

// Counts is what has happened to a service since the daemon was started. They
// never get smaller, also over reloads.
type Counts struct {
	// Births is how many processes were made for it. Those that live are Births
	// less all Deaths.
	Births uint64 `json:"births"`
	// Stillbirths is how many births brought no worker: no process could be made,
	// or it could not be prepared or execute the program. A process that got so
	// far counts as a birth and as a failed death too.
	Stillbirths uint64 `json:"stillbirths"`
	// Deaths by reason. Whether a death was for want of memory is asked of the
	// kernel first, so that it may be counted a moment later.
	Deaths Deaths `json:"deaths"`
	// Clients is how many were taken, where the protocol tells.
	Clients uint64 `json:"clients"`
	// Throttles and Stresses are how often each began.
	Throttles uint64 `json:"throttles"`
	Stresses  uint64 `json:"stresses"`
	// Saturated is for how long all workers that there may be were busy.
	Saturated int64 `json:"saturated"`
	// Wakeups is how often the service was woken without a client.
	Wakeups uint64 `json:"wakeups"`
}

// Deaths counts them by reason.
type Deaths struct {
	Done    uint64 `json:"done"`    // exit status 0 on its own account
	Asked   uint64 `json:"asked"`   // ended as brood asked it to: retired, replaced, stopped
	Failed  uint64 `json:"failed"`  // another exit status
	Crashed uint64 `json:"crashed"` // killed by a signal that brood did not send
	Memory  uint64 `json:"memory"`  // killed by the kernel for want of memory
	Killed  uint64 `json:"killed"`  // killed by brood, because a limit was passed
}

// Total is the number of all deaths.
func (d Deaths) Total() uint64 {
	return d.Done + d.Asked + d.Failed + d.Crashed + d.Memory + d.Killed
}

// Death is how a worker ended, or why it was never born.
type Death struct {
	At int64 `json:"at"`
	// PID and Generation are 0 for a birth that brought no process; Cause then
	// says what failed.
	PID        int32  `json:"pid,omitempty"`
	Generation uint32 `json:"generation,omitempty"`
	Cause      string `json:"cause,omitempty"`
	// Exit is the exit status, Signal the number of the one that killed it; at
	// most one of them is not 0. Core: the kernel has dumped its memory.
	Exit   int  `json:"exit,omitempty"`
	Signal int  `json:"signal,omitempty"`
	Core   bool `json:"core,omitempty"`
	// OutOfMemory tells that the kernel counted a kill for want of memory at
	// that moment.
	OutOfMemory bool `json:"out_of_memory,omitempty"`
	// Limit is which of brood's limits ended it: "start.timeout", "heartbeat",
	// "busy", "stop.timeout", "deaf"; "" for none. Asked: brood wanted it to go.
	Limit string `json:"limit,omitempty"`
	Asked bool   `json:"asked,omitempty"`
	// Busy tells that it had a client.
	Busy bool   `json:"busy,omitempty"`
	Age  int64  `json:"age"`
	Uses uint32 `json:"uses"`
	// Words are the last lines that it wrote, Place where it was when it hung.
	Words []string `json:"words,omitempty"`
	Place string   `json:"place,omitempty"`
}

// Worker is one of a service.
type Worker struct {
	PID        int32  `json:"pid"`
	Generation uint32 `json:"generation"`
	// State is "starting", "idle", "busy", "retiring" or "deaf".
	State string `json:"state"`
	// Since is when its birth was asked for, Busy since when it has its client
	// (0: it has none, or that is not known).
	Since int64  `json:"since"`
	Busy  int64  `json:"busy_since,omitempty"`
	Uses  uint32 `json:"uses"`
	// Status is what it said of itself last (STATUS= of sd_notify).
	Status string `json:"status,omitempty"`
	// Memory is its proportional set size, CPU what it has used.
	Memory int64 `json:"memory,omitempty"`
	CPU    int64 `json:"cpu,omitempty"`
}

// Event is one thing that has happened.
type Event struct {
	// Seq counts all events of the daemon; a gap tells that some were dropped.
	Seq     uint64 `json:"seq"`
	At      int64  `json:"at"`
	Service string `json:"service,omitempty"`
	// Kind is a word for programs, such as "born", "died", "throttled",
	// "released", "limit", "stress", "reload"; Text is for people.
	Kind string `json:"kind"`
	PID  int32  `json:"pid,omitempty"`
	Text string `json:"text"`
}

// Entry is one step of a service's flight recorder: what happened, and what the
// pool did about it.
type Entry struct {
	At   int64  `json:"at"`
	What string `json:"what"`
	Then string `json:"then,omitempty"`
}
