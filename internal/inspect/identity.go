package inspect

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// identity is whom a worker runs as.
type identity struct {
	uid    uint32
	groups []uint32
}

// lookUp finds a user by name or number, with the groups it is a member of.
func lookUp(name string) (*identity, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if _, e := strconv.ParseUint(name, 10, 32); e != nil {
			return nil, err
		}
		if u, err = user.LookupId(name); err != nil {
			uid, _ := strconv.ParseUint(name, 10, 32)
			return &identity{uid: uint32(uid)}, nil // A number needs no entry.
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	who := &identity{uid: uint32(uid)}
	ids, err := u.GroupIds()
	if err != nil {
		ids = []string{u.Gid}
	}
	for _, id := range ids {
		if gid, err := strconv.ParseUint(id, 10, 32); err == nil {
			who.groups = append(who.groups, uint32(gid))
		}
	}
	return who, nil
}

// UserName is the name of a user that is told by number; what has no name stays
// as it is.
func UserName(number string) string {
	if _, err := strconv.ParseUint(number, 10, 32); err != nil {
		return number
	}
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}

// identityOf is whom a process runs as; nil if that cannot be seen.
func identityOf(pid int) *identity {
	status := readText("/proc/" + strconv.Itoa(pid) + "/status")
	uids := strings.Fields(line(status, "Uid:"))
	if len(uids) < 2 {
		return nil
	}
	uid, err := strconv.ParseUint(uids[1], 10, 32)
	if err != nil {
		return nil
	}
	who := &identity{uid: uint32(uid)}
	for _, word := range append(strings.Fields(line(status, "Gid:")), strings.Fields(line(status, "Groups:"))...) {
		if gid, err := strconv.ParseUint(word, 10, 32); err == nil {
			who.groups = append(who.groups, uint32(gid))
		}
	}
	return who
}

// What can be asked of a file, as permission bits.
const (
	read    = 4
	execute = 1
)

// may tells whether the permission bits allow it.
func (who *identity) may(info fs.FileInfo, what fs.FileMode) bool {
	mode := info.Mode().Perm()
	if who.uid == 0 {
		return what != execute || info.IsDir() || mode&0o111 != 0
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return true
	case st.Uid == who.uid:
		return mode>>6&what == what
	case slices.Contains(who.groups, st.Gid):
		return mode>>3&what == what
	}
	return mode&what == what
}

// reach tells whether the service's user may do that to the file, directories
// on the way included, and notes what stands in the way. What cannot be seen is
// taken to be allowed.
func (in *inspection) reach(about, path string, what fs.FileMode) bool {
	if in.who == nil {
		return true
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if closed, info := in.closedAbove(path); closed != "" {
		in.wrong(about, fmt.Sprintf("%s is closed for %s (%s), so that %s cannot be reached.", closed, in.whom(), ownership(info), path),
			"Let "+in.whom()+" pass: chmod o+x "+closed+", or a group.")
		return false
	}
	info, err := os.Stat(path)
	if err != nil || in.who.may(info, what) {
		return true
	}
	verb := map[fs.FileMode]string{read: "read", execute: "execute"}[what]
	if info.IsDir() {
		verb = "enter"
	}
	in.wrong(about, fmt.Sprintf("%s may not %s %s (%s).", in.whom(), verb, described(path), ownership(info)),
		"Let "+in.whom()+" "+verb+" it, by chown, chgrp or chmod.")
	return false
}

// described is a path, with what it is where its name tells.
func described(path string) string {
	switch filepath.Ext(path) {
	case ".pem", ".key", ".crt", ".cer", ".p12":
		return "the certificate or key file " + path
	}
	return path
}

// closedAbove is the first directory on the way that the user may not pass; ""
// if there is none.
func (in *inspection) closedAbove(path string) (string, fs.FileInfo) {
	var above []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		above = append(above, dir)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for _, dir := range slices.Backward(above) {
		if info, err := os.Stat(dir); err == nil && !in.who.may(info, execute) {
			return dir, info
		}
	}
	return "", nil
}

// ownership is whose a file is, and its mode.
func ownership(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "mode " + modeOf(info)
	}
	owner, group := strconv.Itoa(int(st.Uid)), strconv.Itoa(int(st.Gid))
	if u, err := user.LookupId(owner); err == nil {
		owner = u.Username
	}
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return owner + ":" + group + ", mode " + modeOf(info)
}

func modeOf(info fs.FileInfo) string { return fmt.Sprintf("%04o", info.Mode().Perm()) }

// textMost bounds what is read of one file.
const textMost = 4 << 20

// readText is what a file says; "" if it cannot be read.
func readText(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var b strings.Builder
	buf := make([]byte, 64<<10)
	for b.Len() < textMost {
		n, err := f.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return b.String()
}

// line is what stands behind a word at the beginning of a line.
func line(text, word string) string {
	for l := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(l, word); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}
