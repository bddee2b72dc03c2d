package master

// equipFastCGI gives the socket as descriptor 0 (FastCGI specification 1.0,
// section 2.2).
func (m *Master) equipFastCGI(b *birth) error {
	return m.standard(b, b.service.listeners[0].fd)
}
