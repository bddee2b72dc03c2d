package master

// equipNone gives the sockets from the descriptor of the operator's choice on,
// which may be 0 and is otherwise above 2.
func (m *Master) equipNone(b *birth) error {
	if err := m.standard(b, -1); err != nil {
		return err
	}
	b.sockets(b.service.plan.Wishes.FD)
	return nil
}
