package child

import (
	"bytes"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// explainExec says what an errno of execve(2) hides: ENOENT for a script is
// about its interpreter, and EACCES for a directory or a file without an
// execute bit looks the same as one for a closed directory above it.
func explainExec(s *Spec, errno syscall.Errno) string {
	path := s.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.Dir, path)
	}
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return ""
	}
	switch {
	case errno == unix.EACCES && st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return "it is a directory"
	case errno == unix.EACCES && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Mode&0o111 == 0:
		return "it is not executable; chmod +x it"
	case errno == unix.ENOENT:
		if script, interpreter := readInterpreter(path); script {
			return "it is a script and its interpreter " + interpreter + " does not exist"
		}
		return "it exists, but the loader that it names does not"
	case errno == unix.ENOEXEC:
		return "it is neither a program for this machine nor a script that starts with #!"
	}
	return ""
}

// readInterpreter returns the interpreter that the first line of a script
// names.
func readInterpreter(path string) (script bool, interpreter string) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, ""
	}
	defer func() { _ = unix.Close(fd) }()
	// The kernel looks no further than 256 bytes either (BINPRM_BUF_SIZE).
	buf := make([]byte, 256)
	n, err := unix.Read(fd, buf)
	if err != nil || !bytes.HasPrefix(buf[:max(n, 0)], []byte("#!")) {
		return false, ""
	}
	line, _, _ := bytes.Cut(buf[2:n], []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) == 0 {
		return false, ""
	}
	return true, fields[0]
}
