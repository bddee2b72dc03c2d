package worker

import (
	"fmt"
	"os/user"
	"strconv"
	"syscall"
)

// identity is whom a worker becomes.
type identity struct {
	uid, gid int
	groups   []int
}

func lookup(name string) (identity, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return identity{}, fmt.Errorf("cannot look up mail owner %q: %w", name, err)
	}
	names, err := u.GroupIds()
	if err != nil {
		return identity{}, fmt.Errorf("cannot look up groups of %q: %w", name, err)
	}
	id := identity{}
	if id.uid, err = strconv.Atoi(u.Uid); err == nil {
		id.gid, err = strconv.Atoi(u.Gid)
	}
	for _, g := range names {
		n, bad := strconv.Atoi(g)
		if bad != nil {
			err = bad
			break
		}
		id.groups = append(id.groups, n)
	}
	if err != nil {
		return identity{}, fmt.Errorf("cannot look up ids of %q: %w", name, err)
	}
	return id, nil
}

// confine gives up what the service does not need: the root directory becomes
// the working directory, which a master has set to the queue directory, and
// the mail owner takes root's place. The name is looked up before its database
// is out of sight, the user changes last because all else needs root. The Go
// runtime applies each change to every thread.
func confine(a arguments, owner string) error {
	var id identity
	if a.unprivileged {
		var err error
		if id, err = lookup(owner); err != nil {
			return err
		}
		if err := syscall.Setgroups(id.groups); err != nil {
			return fmt.Errorf("cannot take the groups of %q: %w", owner, err)
		}
		if err := syscall.Setgid(id.gid); err != nil {
			return fmt.Errorf("cannot become group %d: %w", id.gid, err)
		}
	}
	if a.chroot {
		if err := syscall.Chroot("."); err != nil {
			return fmt.Errorf("cannot change the root directory: %w", err)
		}
		if err := syscall.Chdir("/"); err != nil {
			return fmt.Errorf("cannot enter the root directory: %w", err)
		}
	}
	if a.unprivileged {
		if err := syscall.Setuid(id.uid); err != nil {
			return fmt.Errorf("cannot become user %q: %w", owner, err)
		}
	}
	return nil
}
