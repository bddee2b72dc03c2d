package native

import (
	"slices"
	"strings"

	"github.com/brood-project/brood/internal/plan"
)

// userAnswer is what the system said about a user.
type userAnswer struct {
	user User
	err  error
}

func (l *loader) lookUpUser(name string) (User, error) {
	if l.users == nil {
		l.users = make(map[string]userAnswer)
	}
	a, known := l.users[name]
	if !known {
		a.user, a.err = l.sys.User(name)
		l.users[name] = a
	}
	return a.user, a.err
}

func (l *loader) lookUpGroup(name string) (int, error) {
	if l.users == nil {
		l.users = make(map[string]userAnswer)
	}
	a, known := l.users["group "+name]
	if !known {
		a.user.GID, a.err = l.sys.Group(name)
		l.users["group "+name] = a
	}
	return a.user.GID, a.err
}

// account resolves user, group and groups, and says what of it needs root.
func (l *loader) account(p *places, fresh *raw) Account {
	a := Account{UID: -1, GID: -1}
	if fresh.user.text != "" {
		l.accountUser(&a, fresh.user, p.expand(fresh.user))
	}
	if fresh.group.text != "" {
		a.Group = p.expand(fresh.group)
		if gid, ok := l.group(fresh.group, a.Group, "group"); ok {
			a.GID = gid
		}
	}
	for i, w := range fresh.groups {
		if i == 0 {
			a.GIDs = nil
		}
		a.Groups = append(a.Groups, w.text)
		if gid, ok := l.group(w, w.text, "groups"); ok {
			a.GIDs = append(a.GIDs, gid)
		}
	}
	if l.sys.UID != 0 {
		a.UID, a.GID, a.GIDs = -1, -1, nil // its own already, and it cannot set them
	}
	return a
}

func (l *loader) accountUser(a *Account, w word, name string) {
	a.User = name
	if l.sys.User == nil {
		return
	}
	u, err := l.lookUpUser(name)
	if user, group, two := strings.Cut(name, ":"); err != nil && two {
		l.report.errorf(w.at, "%s is a user and a group", quoted(name)).instead("write user = %s and group = %s", quoted(user), quoted(group))
		return
	}
	if err != nil {
		l.report.errorf(w.at, "cannot find the user %s: %v", quoted(name), err).instead("make it, or write one of getent passwd")
		return
	}
	a.User, a.UID, a.GID, a.GIDs, a.Home, a.Shell = u.Name, u.UID, u.GID, u.Groups, u.Home, u.Shell
	if l.sys.UID != 0 && u.UID != l.sys.UID {
		l.needsRoot(w.at, "running a worker as %s", name)
	}
}

// group finds the number of a group that workers or files are to have. A
// process without root may only use the groups that it is in.
func (l *loader) group(w word, name, key string) (int, bool) {
	if l.sys.Group == nil {
		return 0, false
	}
	gid, err := l.lookUpGroup(name)
	if err != nil {
		l.report.errorf(w.at, "cannot find the group %s: %v", quoted(name), err).instead("make it, or write one of getent group")
		return 0, false
	}
	mine := gid == l.sys.GID || slices.Contains(l.sys.Groups, gid) && key == "socket"
	if l.sys.UID != 0 && !mine {
		what := "running a worker in the group %s"
		if key == "socket" {
			what = "giving the socket to the group %s"
		}
		l.needsRoot(w.at, what, name)
	}
	return gid, true
}

// needsRoot reports what only root can do. What is asked for comes first.
func (l *loader) needsRoot(at span, format string, args ...any) {
	l.report.errorf(at, format+" needs root, and brood runs as user %d", append(args, l.sys.UID)...).
		instead("leave it out, or start brood as root")
}

// owner resolves the owner and group of a socket's file, and reports a port
// that needs root.
func (l *loader) owner(w word, a *address) {
	if a.owner != "" && l.sys.User != nil {
		u, err := l.lookUpUser(a.owner)
		switch {
		case err != nil:
			l.report.errorf(w.at, "cannot find the owner %s: %v", quoted(a.owner), err).instead("make it, or write one of getent passwd")
		case l.sys.UID != 0 && u.UID != l.sys.UID:
			l.needsRoot(w.at, "giving the socket to %s", a.owner)
		default:
			a.UID = u.UID
		}
	}
	if a.group != "" {
		if gid, ok := l.group(w, a.group, "socket"); ok {
			a.GID = gid
		}
	}
	ip := a.Network == plan.NetTCP || a.Network == plan.NetUDP
	if ip && a.Port < l.sys.FreePort && l.sys.UID != 0 {
		l.report.errorf(w.at, "port %d needs root or CAP_NET_BIND_SERVICE, and brood runs as user %d", a.Port, l.sys.UID).
			instead("write a port from %d on, or start brood as root", l.sys.FreePort)
	}
}
