package native

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
)

// checkLimits reports resource limits that brood may not give its workers.
func (l *loader) checkLimits(set layered, svc *Service) {
	if l.sys.LimitMost == nil {
		return
	}
	for _, limit := range svc.Limits {
		most := l.sys.LimitMost(limit.Resource)
		if limit.Hard <= most {
			continue
		}
		at, name := set.at("limits."+limit.Name), "limits."+limit.Name
		if l.sys.UID == 0 {
			l.report.errorf(at, "%s is above %d, the most that this system lets brood set", name, most).instead("write %d at most", most)
			continue
		}
		l.report.errorf(at, "raising %s above brood's own hard limit of %d needs root, and brood runs as user %d", name, most, l.sys.UID).
			instead("write %d at most, or start brood as root", most)
	}
}

// checkLogFile reports a log file that could not be written.
func (l *loader) checkLogFile(at span, path string) {
	if l.sys.Appendable == nil || !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
		return
	}
	err := l.ask("append "+path, func() error { return l.sys.Appendable(path) })
	folder := filepath.Dir(path)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist) && folder == filepath.Clean(l.cfg.Brood.Runtime): // is made at the start
	case errors.Is(err, fs.ErrNotExist):
		l.report.errorf(at, "cannot log to %s: there is no directory %s", path, folder).instead("make it, or write a path in one that exists")
	case errors.Is(err, fs.ErrPermission) && l.sys.UID != 0:
		l.report.errorf(at, "cannot log to %s: %v, and brood runs as user %d", path, err, l.sys.UID).
			instead("write a path where it may write, or start brood as root")
	default:
		l.report.errorf(at, "cannot log to %s: %v", path, err).instead("write the path of a file that brood may write")
	}
}

// expandOwnLog replaces the placeholders in the path of brood's own log, where
// {name} is brood.
func (l *loader) expandOwnLog(at span) {
	to := &l.cfg.Brood.Log.To
	*to = strings.NewReplacer("{name}", "brood", "{instance}", "brood", "{runtime}", l.cfg.Brood.Runtime).Replace(*to)
	l.checkLogFile(at, *to)
}
