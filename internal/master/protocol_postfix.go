package master

import "github.com/brood-project/brood/masterproto"

// equipPostfix gives the flow control pipe, the status channel and the sockets
// from 6 on.
func (m *Master) equipPostfix(b *birth) error {
	s := b.service
	if err := m.openStatus(s); err != nil {
		return err
	}
	b.spec.Files = make([]int, 0, masterproto.FDListen+len(s.listeners))
	if err := m.standard(b, -1); err != nil {
		return err
	}
	b.spec.Files = append(b.spec.Files, m.flow[0], m.flow[1], s.status.theirs)
	b.sockets(masterproto.FDListen)
	b.spec.EnvMore = append(b.spec.EnvMore, masterproto.EnvGeneration+"="+masterproto.FormatGeneration(b.generation))
	return nil
}
