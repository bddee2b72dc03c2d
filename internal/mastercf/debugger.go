package mastercf

import (
	"maps"
	"strconv"
)

// DebuggerCommand is debugger_command for a process of ours, in which
// $process_name and $process_id stand for it; empty if main.cf has none.
func (c *Config) DebuggerCommand(name string, pid int) (string, error) {
	own := *c.Params
	own.pinned = maps.Clone(own.pinned)
	own.pin("process_name", name)
	own.pin("process_id", strconv.Itoa(pid))
	return own.Value("debugger_command")
}
