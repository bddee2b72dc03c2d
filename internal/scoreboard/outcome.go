package scoreboard

// Change is what a reload does, or would do, to one service.
type Change struct {
	Service string `json:"service"`
	// Kind is "added", "removed" or "changed".
	Kind string `json:"kind"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	// Details says what differs, a line each: "max_use: 100, was 50".
	Details []string `json:"details,omitempty"`
	// Restarts tells that its workers are replaced, and Why.
	Restarts bool   `json:"restarts,omitempty"`
	Why      string `json:"why,omitempty"`
}

// Outcome is what a reload has done, or would do.
type Outcome struct {
	Changes []Change `json:"changes"`
	// Kept is how many services stay as they are.
	Kept     int          `json:"kept"`
	Warnings []Diagnostic `json:"warnings,omitempty"`
	// RestartsAll tells that the workers of unchanged services are replaced too,
	// as a reload of Postfix does.
	RestartsAll bool `json:"restarts_all,omitempty"`
	// Throttled are the services whose births stay held back after it.
	Throttled []string `json:"throttled,omitempty"`
}

// Diagnostic is a mistake in the configuration, or something of which to warn.
type Diagnostic struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Error  bool   `json:"error"`
	// Text is the whole line for a person: "FILE:LINE:COL: what; what to do".
	Text string `json:"text"`
}

// Progress is how far a drain has come.
type Progress struct {
	At       int64 `json:"at"`
	Deadline int64 `json:"deadline,omitempty"`
	// Left are the workers that still have a client, or have not ended yet.
	Left []Left `json:"left"`
	// CutOff are those that were sent the stop signal in the middle of a client,
	// because the deadline had come.
	CutOff []Left `json:"cut_off,omitempty"`
	// Done tells that nothing is left.
	Done bool `json:"done"`
}

// Left is a worker that a drain waits for.
type Left struct {
	Service string `json:"service"`
	PID     int32  `json:"pid"`
	Busy    int64  `json:"busy_since,omitempty"`
}
