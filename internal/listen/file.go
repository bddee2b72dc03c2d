package listen

import (
	"errors"

	"golang.org/x/sys/unix"
)

// fileID tells one file from another that took its name. The kernel gives the
// number of a file that is gone to the next one; so its moment of birth is a part
// of it, where the file system keeps that.
//
// A manager with thousands of sockets has one for each: it is kept small.
type fileID struct {
	ino  uint64
	dev  uint32
	born uint32 // nanoseconds, and the last two bits of the second
}

// file is what can be told of a file.
type file struct {
	id    fileID
	mode  uint32 // type and permission bits
	owner ids
}

// lookAt looks at a name in an open folder, without following a link, or at the
// open file itself where the name is empty.
func lookAt(fd int, name string) (file, error) {
	const flags = unix.AT_SYMLINK_NOFOLLOW | unix.AT_EMPTY_PATH
	var x unix.Statx_t
	err := unix.Statx(fd, name, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &x)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		// Linux before 4.11, or a container's filter that is older than that.
		var st unix.Stat_t
		err = unix.Fstatat(fd, name, &st, flags)
		dev := st.Dev
		return file{
			id:    fileID{ino: st.Ino, dev: device(unix.Major(dev), unix.Minor(dev))},
			mode:  st.Mode,
			owner: ids{uid: int(st.Uid), gid: int(st.Gid)},
		}, err
	}
	return file{
		id: fileID{
			ino: x.Ino, dev: device(x.Dev_major, x.Dev_minor),
			born: x.Btime.Nsec | uint32(x.Btime.Sec)<<30,
		},
		mode:  uint32(x.Mode),
		owner: ids{uid: int(x.Uid), gid: int(x.Gid)},
	}, err
}

// device is a device's number in as many bits as the kernel keeps it.
func device(major, minor uint32) uint32 { return major<<20 | minor }
