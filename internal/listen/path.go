package listen

import (
	"errors"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

// sunPathMax is how long the path of a unix socket may be; one more byte ends
// it (unix(7)).
const sunPathMax = 107

// folder is the open folder of a path, which is worked in by handle, so that
// it can't be exchanged in between.
type folder struct {
	fd    int
	stat  unix.Stat_t
	power ids
	// anything that is in the way may be replaced.
	anything bool
	// kept is for the batch to close.
	kept bool
}

// openFolder opens the folder that an endpoint's path leads to. A batch keeps it
// open for the next endpoint, which most often is in the same.
func openFolder(e *plan.Endpoint) (*folder, error) {
	path := filepath.Dir(e.Path)
	inBatch := batch.here()
	if inBatch && batch.folder.path == path {
		return batch.folder.open.toServe(e), nil
	}
	d := &folder{}
	err := ours.as(func() (err error) {
		d.fd, err = unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := unix.Fstat(d.fd, &d.stat); err != nil {
		d.close()
		return nil, err
	}
	if inBatch {
		d.kept = true
		batch.keep(path, d)
	}
	return d.toServe(e), nil
}

// toServe is the folder as it is worked in for one endpoint.
func (d *folder) toServe(e *plan.Endpoint) *folder {
	own := *d
	own.anything, own.power = e.AsOwner, powersOver(&d.stat, e)
	return &own
}

func (d *folder) close() {
	if !d.kept {
		_ = unix.Close(d.fd)
	}
}

func pathName(path string) string {
	if path == "" || path[0] == '@' {
		return ""
	}
	return filepath.Base(path)
}

// openPath makes a unix socket or fifo with a name in the file system.
func (s *Socket) openPath(name string) error {
	e := s.Endpoint
	if !filepath.IsAbs(e.Path) {
		return s.fail("bind", errors.New("the path is not absolute"))
	}
	d, err := openFolder(&e)
	if err != nil {
		return s.fail("bind", err)
	}
	defer d.close()
	var maker ids
	err = d.power.as(func() (err error) {
		if e.Network == plan.NetFifo {
			err = s.makeFifo(d, name)
		} else {
			err = s.makeUnix(d, name)
		}
		if err == nil {
			maker, err = s.setMode(d, name)
		}
		return err
	})
	if err == nil && !s.ownedAsAsked(d, maker) {
		err = ours.as(func() error { return s.setOwner(d, name) })
	}
	if err != nil {
		return s.named(err)
	}
	return s.startListening()
}

// named makes an *Error of an error that is none yet.
func (s *Socket) named(err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return err
	}
	return s.fail("open", err)
}

// clear takes a stale socket or fifo away. Anything else may be somebody's
// data and stays, unless the endpoint says that it may go.
func (d *folder) clear(name string) error {
	found, err := d.inTheWay(name)
	if err != nil || !found {
		return err
	}
	return unix.Unlinkat(d.fd, name, 0)
}

// inTheWay tells whether there is a file that has to go. The error says why it
// may not.
func (d *folder) inTheWay(name string) (found bool, err error) {
	var st unix.Stat_t
	err = unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case errors.Is(err, unix.ENOENT):
		return false, nil
	case err != nil:
		return false, err
	}
	switch kind := st.Mode & unix.S_IFMT; {
	case kind == unix.S_IFDIR:
		return true, unix.EISDIR
	case d.anything, kind == unix.S_IFSOCK, kind == unix.S_IFIFO:
		return true, nil
	case kind == unix.S_IFLNK:
		return true, errors.New("a symbolic link is in its place")
	default:
		return true, errors.New("a file that is neither socket nor fifo is in its place")
	}
}

func (s *Socket) makeUnix(d *folder, name string) error {
	kind := unix.SOCK_STREAM
	if s.Endpoint.Network == plan.NetUnixgram {
		kind = unix.SOCK_DGRAM
	}
	var err error
	s.FD, err = unix.Socket(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		s.FD = -1
		return s.fail("open", err)
	}
	mode := s.Endpoint.Mode & 0o777
	if !batch.bornWith(mode) {
		// The socket's own mode is the widest that its file can be born with.
		if err := unix.Fchmod(s.FD, mode); err != nil {
			return s.fail("chmod", err)
		}
	}
	bind := func() error {
		return d.eitherWay(s.Endpoint.Path, name, func(sa unix.Sockaddr) error { return unix.Bind(s.FD, sa) })
	}
	if err = bind(); errors.Is(err, unix.EADDRINUSE) {
		if err := d.clear(name); err != nil {
			return s.fail("replace", err)
		}
		err = bind()
	}
	if err != nil {
		return s.fail("bind", err)
	}
	return nil
}

// eitherWay binds or connects to a name in the folder: by its path, so that
// ss(8) shows it as the operator wrote it, or through our handle of the folder
// where the path is too long for an address or leads through a folder that the
// owner of this one may not pass.
func (d *folder) eitherWay(path, name string, do func(unix.Sockaddr) error) error {
	if direct := filepath.Join(filepath.Dir(path), name); len(direct) <= sunPathMax {
		err := do(&unix.SockaddrUnix{Name: direct})
		if d.power.uid <= 0 || !errors.Is(err, unix.EACCES) {
			return err
		}
	}
	return do(&unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(d.fd) + "/" + name})
}

// makeFifo makes a fifo anew, so that no old bytes are in it.
func (s *Socket) makeFifo(d *folder, name string) error {
	if err := d.clear(name); err != nil {
		return s.fail("replace", err)
	}
	// The owner's alone until it has its mode: nobody comes in between.
	batch.bornWith(0o600)
	if err := unix.Mknodat(d.fd, name, unix.S_IFIFO|0o600, 0); err != nil {
		return s.fail("create", err)
	}
	var err error
	// Open for both, so that it never comes to an end when a writer leaves.
	s.FD, err = unix.Openat(d.fd, name, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		s.FD = -1
		return s.fail("open", err)
	}
	return nil
}

var errExchanged = errors.New("it was exchanged for something else")

// handle opens the file that a name leads to, without following a link, and
// makes sure of its type; nothing but fstat, chmod and chown can be done on it.
func (d *folder) handle(name string, fileType uint32) (fd int, f file, err error) {
	fd, err = unix.Openat(d.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, f, err
	}
	if f, err = lookAt(fd, ""); err == nil && f.mode&unix.S_IFMT != fileType {
		err = errExchanged
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, f, err
	}
	return fd, f, nil
}

// setMode notes which file was made, and gives it its permission bits if it was
// born with others. It returns who owns it.
func (s *Socket) setMode(d *folder, name string) (maker ids, err error) {
	f, err := lookAt(d.fd, name)
	if err == nil && f.mode&unix.S_IFMT != fileType(s.Endpoint.Network) {
		err = errExchanged
	}
	if err != nil {
		return ids{}, s.fail("chmod", err)
	}
	s.file = f.id
	if f.mode&0o7777 != s.Endpoint.Mode&0o777 {
		err = s.resetMode(d, name)
	}
	return f.owner, err
}

// resetMode gives the same file other permission bits.
func (s *Socket) resetMode(d *folder, name string) error {
	h, _, err := s.ownHandle(d, name)
	if err != nil {
		return s.fail("chmod", err)
	}
	defer func() { _ = unix.Close(h) }()
	if err := chmodHandle(h, s.Endpoint.Mode&0o777); err != nil {
		return s.fail("chmod", err)
	}
	return nil
}

// ownHandle is a handle of the very file that was made.
func (s *Socket) ownHandle(d *folder, name string) (fd int, f file, err error) {
	fd, f, err = d.handle(name, fileType(s.Endpoint.Network))
	if err == nil && s.file != f.id {
		_ = unix.Close(fd)
		return -1, f, errExchanged
	}
	return fd, f, err
}

// chmodHandle works on a handle that was opened with O_PATH, which kernels
// before 6.6 allow only by way of /proc.
func chmodHandle(h int, mode uint32) error {
	err := unix.Fchmodat(h, "", mode, unix.AT_EMPTY_PATH)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return unix.Fchmodat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(h), mode, 0)
	}
	return err
}

// ownedAsAsked tells whether the file belongs to whom it shall. What the owner
// made himself is his already, and the folder's set-group-id bit, as Postfix's
// public has it, decides about the group.
func (s *Socket) ownedAsAsked(d *folder, now ids) bool {
	e := &s.Endpoint
	if d.power.uid > 0 && d.power.uid == e.UID && now.uid == e.UID {
		return true
	}
	return (e.UID < 0 || now.uid == e.UID) && (e.GID < 0 || now.gid == e.GID)
}

// setOwner gives the file to whom it shall belong.
func (s *Socket) setOwner(d *folder, name string) error {
	e := s.Endpoint
	if e.UID < 0 && e.GID < 0 {
		return nil
	}
	h, f, err := s.ownHandle(d, name)
	if err != nil {
		return s.fail("chown", err)
	}
	defer func() { _ = unix.Close(h) }()
	if s.ownedAsAsked(d, f.owner) {
		return nil
	}
	if err := unix.Fchownat(h, "", e.UID, e.GID, unix.AT_EMPTY_PATH); err != nil {
		return s.fail("chown", err)
	}
	return nil
}

func fileType(n plan.Network) uint32 {
	if n == plan.NetFifo {
		return unix.S_IFIFO
	}
	return unix.S_IFSOCK
}

// inPlace tells whether name still leads to the file that was made.
func (s *Socket) inPlace(d *folder, name string) bool {
	f, err := lookAt(d.fd, name)
	return err == nil && s.file == f.id
}

// removeName takes the name away if it is still ours.
func (s *Socket) removeName(name string) {
	if name == "" || s.file == (fileID{}) {
		return
	}
	d, err := openFolder(&s.Endpoint)
	if err != nil {
		return
	}
	defer d.close()
	_ = d.power.as(func() error {
		if s.inPlace(d, name) {
			return unix.Unlinkat(d.fd, name, 0)
		}
		return nil
	})
}

// openAbstract makes a unix socket whose name is not in the file system.
// Anyone may connect to it: it has neither mode nor owner.
func (s *Socket) openAbstract() error {
	kind := unix.SOCK_STREAM
	switch s.Endpoint.Network {
	case plan.NetUnixgram:
		kind = unix.SOCK_DGRAM
	case plan.NetFifo:
		return s.fail("open", errors.New("a fifo can't have an abstract name"))
	}
	var err error
	s.FD, err = unix.Socket(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		s.FD = -1
		return s.fail("open", err)
	}
	if err := unix.Bind(s.FD, &unix.SockaddrUnix{Name: s.Endpoint.Path}); err != nil {
		return s.fail("bind", err)
	}
	return s.startListening()
}
