package control

// Role is what a peer may do; each includes those below it.
type Role uint8

// The roles.
const (
	None Role = iota
	Read
	Operate
	Admin
)

// String returns the role's name on the wire.
func (r Role) String() string {
	switch r {
	case Read:
		return "read"
	case Operate:
		return "operate"
	case Admin:
		return "admin"
	case None:
	}
	return "none"
}

// Peer is who asks, as the kernel knows it. PID is 0 for a process in a pid
// namespace that the daemon cannot see.
type Peer struct {
	PID  int32
	UID  uint32
	GID  uint32
	Role Role
}
