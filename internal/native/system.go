package native

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// System is what Load asks the machine for: a seam for tests, and for checking
// a file on another machine than the one it is for. A nil function is a
// question that is not asked, except for ReadFile and Glob, which Load needs.
type System struct {
	// ReadFile is the content of a regular file. Files above the limit of 4 MiB
	// may be cut behind it.
	ReadFile func(path string) ([]byte, error)
	// Glob is the files that match a pattern of filepath.Match.
	Glob func(pattern string) ([]string, error)
	// Executable is nil when the path is a file that can be executed.
	Executable func(path string) error
	// Directory is nil when the path is a directory.
	Directory func(path string) error
	// Appendable is nil when a file can be appended to, or made, at the path.
	Appendable func(path string) error
	// LimitMost is the highest hard limit that the daemon may give a worker.
	LimitMost func(resource int) uint64
	// User finds a user by name or decimal number, Group a group's number.
	User  func(name string) (User, error)
	Group func(name string) (int, error)
	// Getenv is a variable of the daemon's own environment.
	Getenv func(name string) (string, bool)
	// Dir is the working directory, from which relative paths given to Load
	// count; absolute.
	Dir string
	// Runtime is the default of brood.runtime.
	Runtime string
	// UID, GID and Groups are the daemon's own. UID 0 may do everything.
	UID, GID int
	Groups   []int
	// FreePort is the lowest TCP and UDP port that does not need root.
	FreePort uint32
}

// User is an entry of passwd(5).
type User struct {
	Name        string
	UID, GID    int
	Groups      []int
	Home, Shell string
}

// OS is the System of the machine it runs on.
func OS() System {
	dir, err := os.Getwd()
	if err != nil {
		dir = "/"
	}
	groups, err := os.Getgroups()
	if err != nil {
		groups = nil
	}
	s := System{
		ReadFile:   readFile,
		Glob:       filepath.Glob,
		Executable: executable,
		Directory:  directory,
		Appendable: appendable,
		LimitMost:  limitMost,
		User:       lookUpUser,
		Group:      lookUpGroup,
		Getenv:     os.LookupEnv,
		Dir:        dir,
		Runtime:    "/run/brood",
		UID:        os.Geteuid(),
		GID:        os.Getegid(),
		Groups:     groups,
		FreePort:   freePort(),
	}
	if s.UID != 0 {
		s.Runtime = filepath.Join(os.TempDir(), "brood-"+strconv.Itoa(s.UID))
		if run := os.Getenv("XDG_RUNTIME_DIR"); strings.HasPrefix(run, "/") {
			s.Runtime = filepath.Join(run, "brood")
		}
	}
	return s
}

// readFile refuses what is no regular file: reading a device or a fifo might
// never end.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, fileBytesMax+1))
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return cause(err)
	case info.IsDir():
		return errors.New("it is a directory")
	case info.Mode()&0o111 == 0:
		return errors.New("it is not executable")
	}
	return nil
}

func directory(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return cause(err)
	}
	if !info.IsDir() {
		return errors.New("it is not a directory")
	}
	return nil
}

// appendable looks at what the daemon will open: with its effective user, and
// never by way of a symbolic link.
func appendable(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return unix.Faccessat(unix.AT_FDCWD, filepath.Dir(path), unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	case err != nil:
		return cause(err)
	case info.IsDir():
		return errors.New("it is a directory")
	case info.Mode()&fs.ModeSymlink != 0:
		return errors.New("it is a symbolic link, and none is followed")
	}
	return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS)
}

// limitMost is our own hard limit, unless we may raise it; that of descriptors the
// kernel bounds for everybody, see proc_sys_fs(5).
func limitMost(resource int) uint64 {
	if !capable(capSysResource) {
		var own unix.Rlimit
		if unix.Getrlimit(resource, &own) == nil {
			return own.Max
		}
	}
	if resource == unix.RLIMIT_NOFILE {
		text, err := os.ReadFile("/proc/sys/fs/nr_open")
		if most, bad := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && bad == nil {
			return most
		}
	}
	return Unlimited
}

// cause is the reason alone, without the path that the caller names anyway.
func cause(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func lookUpUser(name string) (User, error) {
	u, err := user.Lookup(name)
	if _, numeric := strconv.Atoi(name); err != nil && numeric == nil {
		u, err = user.LookupId(name)
	}
	if err != nil {
		return User{}, errors.New("there is none of this name")
	}
	known := User{Name: u.Username, Home: u.HomeDir, Shell: loginShell(u.Username)}
	if known.UID, err = strconv.Atoi(u.Uid); err != nil {
		return User{}, fmt.Errorf("cannot read its number: %w", err)
	}
	if known.GID, err = strconv.Atoi(u.Gid); err != nil {
		return User{}, fmt.Errorf("cannot read its group: %w", err)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return User{}, fmt.Errorf("cannot read its groups: %w", err)
	}
	for _, id := range ids {
		if gid, err := strconv.Atoi(id); err == nil {
			known.Groups = append(known.Groups, gid)
		}
	}
	sort.Ints(known.Groups)
	return known, nil
}

// loginShell is the last field of the user's line in passwd(5), which os/user
// does not tell.
func loginShell(name string) string {
	data, err := readFile("/etc/passwd")
	if err != nil {
		return ""
	}
	for _, line := range strings.Split(string(data), "\n") {
		if f := strings.Split(line, ":"); len(f) == 7 && f[0] == name {
			return f[6]
		}
	}
	return ""
}

func lookUpGroup(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if _, numeric := strconv.Atoi(name); err != nil && numeric == nil {
		g, err = user.LookupGroupId(name)
	}
	if err != nil {
		return 0, errors.New("there is none of this name")
	}
	return strconv.Atoi(g.Gid)
}

// The bits of capabilities(7) that are asked about.
const (
	capNetBindService = 10
	capSysResource    = 24
)

// capable tells whether we have a capability.
func capable(bit int) bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			mask, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return err == nil && mask>>bit&1 == 1
		}
	}
	return false
}

// freePort is the kernel's first port for everybody, or 0 for a daemon that
// may bind to the others as well.
func freePort() uint32 {
	if capable(capNetBindService) {
		return 0
	}
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if port, bad := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 16); err == nil && bad == nil {
		return uint32(port)
	}
	return 1024
}
