package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/brood-project/brood/masterproto"
)

// defaultConfigDir is where main.cf is unless the environment says otherwise.
const defaultConfigDir = "/etc/postfix"

// readMainCF returns the parameters of main.cf as they are written, the last
// setting of a name first served. Values that refer to other parameters are
// left out: expanding them is the business of postconf(1), and the few that a
// worker needs are literal in practice. A file that does not exist is empty.
func readMainCF(dir string) (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "main.cf"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read main.cf: %w", err)
	}
	return parseMainCF(string(text)), nil
}

// parseMainCF joins continuation lines and splits at the first "=".
func parseMainCF(text string) map[string]string {
	parameters := map[string]string{}
	var logical string
	keep := func() {
		name, value, ok := strings.Cut(logical, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return
		}
		delete(parameters, name)
		if !strings.Contains(value, "$") {
			parameters[name] = strings.TrimSpace(value)
		}
	}
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			logical += " " + trimmed
			continue
		}
		keep()
		logical = trimmed
	}
	keep()
	return parameters
}

// settings are the parameters that a worker obeys, after all that may set them
// had their say: -o first, then the author's Options, then main.cf, then the
// built-in default.
type settings struct {
	maxIdle time.Duration
	maxUse  int
	owner   string
	order   Order
}

// The defaults, which are Postfix's.
const (
	defaultMaxIdle = 100 * time.Second
	defaultMaxUse  = 100
	defaultOwner   = "postfix"
)

func settle(o Options, override, main map[string]string) (settings, error) {
	s := settings{maxIdle: o.MaxIdle, maxUse: o.MaxUse, owner: o.User, order: o.Order}
	pick := func(name string, set bool) (string, bool) {
		if v, ok := override[name]; ok {
			return v, true
		}
		if set {
			return "", false
		}
		v, ok := main[name]
		return v, ok
	}
	var err error
	if v, ok := pick(masterproto.ParameterMaxIdle, s.maxIdle != 0); ok {
		if s.maxIdle, err = parseTime(v); err != nil {
			return s, fmt.Errorf("cannot use max_idle: %w", err)
		}
	} else if s.maxIdle == 0 {
		s.maxIdle = defaultMaxIdle
	}
	if v, ok := pick(masterproto.ParameterMaxUse, s.maxUse != 0); ok {
		if s.maxUse, err = strconv.Atoi(v); err != nil || s.maxUse < 1 {
			return s, fmt.Errorf("cannot use max_use: want a number above 0, not %q", v)
		}
	} else if s.maxUse == 0 {
		s.maxUse = defaultMaxUse
	}
	if v, ok := pick("mail_owner", s.owner != ""); ok {
		s.owner = v
	} else if s.owner == "" {
		s.owner = defaultOwner
	}
	if os.Getenv(envAccept) == "spread" {
		s.order = Turns
	}
	if v, ok := override["accept_order"]; ok {
		if s.order, err = parseOrder(v); err != nil {
			return s, err
		}
	}
	return s, nil
}

// timeUnits are the suffixes that main.cf allows; none means seconds.
var timeUnits = map[byte]time.Duration{
	's': time.Second, 'm': time.Minute, 'h': time.Hour,
	'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
}

// parseTime reads a main.cf time: digits and at most one unit. It must be
// above zero.
func parseTime(s string) (time.Duration, error) {
	unit, digits := time.Second, s
	if s != "" {
		if u, ok := timeUnits[s[len(s)-1]]; ok {
			unit, digits = u, s[:len(s)-1]
		}
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || n == 0 || n > uint64((1<<62)/unit) {
		return 0, fmt.Errorf("want a time such as 100s, 5m or 1h, not %q", s)
	}
	return time.Duration(n) * unit, nil
}
