package master

const (
	// storedMost is how many descriptors the workers of one service may have
	// us keep.
	storedMost = 64
	// storedNameMost is the longest name of one, as with systemd.
	storedNameMost = 255
	// storedNamePreset is the name of one that was given none.
	storedNamePreset = "stored"
)

// storedFile is a descriptor that a worker has put into its service's store
// (FDSTORE=1); those born later get it behind the sockets.
type storedFile struct {
	name string
	fd   int
}

// store keeps descriptors and returns those that do not fit.
func (s *service) store(name string, files []int) (rest []int) {
	if name == "" {
		name = storedNamePreset
	}
	if !goodName(name) {
		return files
	}
	for len(files) > 0 && len(s.stored) < storedMost {
		s.stored = append(s.stored, storedFile{name, files[0]})
		files = files[1:]
	}
	return files
}

// goodName tells whether a name can stand in LISTEN_FDNAMES.
func goodName(name string) bool {
	if len(name) > storedNameMost {
		return false
	}
	for _, r := range name {
		if r <= ' ' || r >= 0x7f || r == ':' {
			return false
		}
	}
	return true
}

// removeStored forgets all that were stored under a name.
func (m *Master) removeStored(s *service, name string) {
	kept := s.stored[:0]
	for _, f := range s.stored {
		if f.name == name {
			m.whenUnused(func() { s.discard(f.fd) })
			continue
		}
		kept = append(kept, f)
	}
	s.stored = kept
}

// emptyStore forgets all.
func (m *Master) emptyStore(s *service) {
	for _, f := range s.stored {
		m.whenUnused(func() { s.discard(f.fd) })
	}
	s.stored = nil
}
