package main

import (
	"fmt"
	"path/filepath"

	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/master"
	"github.com/brood-project/brood/internal/native"
	"github.com/brood-project/brood/internal/operator"
)

// answerOperators opens the operators' socket; nil where there is none. Whoever
// has it written in brood.toml relies on it, so that it cannot be opened is a
// failure; without the one that is there in any case, the services go on.
func (d *daemon) answerOperators(m *master.Master) (*control.Server, error) {
	b := &d.config.Brood
	if b.Control == native.ControlOff {
		return nil, nil
	}
	options := control.Options{Brood: version}
	for _, gid := range b.Operators {
		options.OperateGroups = append(options.OperateGroups, uint32(gid))
	}
	server, err := control.Listen(b.Control, options)
	if err != nil {
		err = fmt.Errorf("%w; set brood.control in %s", err, d.path)
		if b.Control != filepath.Join(b.Runtime, native.ControlSocket) {
			return nil, err
		}
		d.log.warn(err.Error())
		return nil, nil
	}
	server.Serve(operator.New(m))
	return server, nil
}

// answerOperatorsStill opens the operators' socket anew where somebody has
// removed its file, on every reload.
func (d *daemon) answerOperatorsStill() {
	if d.operators == nil {
		return
	}
	if err := d.operators.Renew(); err != nil {
		d.log.warn(err.Error() + "; the services go on, and nobody can ask this broodd")
	}
}

// details says what a new configuration changes for the daemon as a whole, beside
// what the plan and the drain say. What was read at the start stays until the
// next one.
func (d *daemon) details(next *native.Config) (lines []string) {
	a, b := &d.config.Brood, &next.Brood
	differ := func(key, was, now, when string) {
		if was != now {
			lines = append(lines, fmt.Sprintf("%s: %s, was %s%s", key, now, was, when))
		}
	}
	const atStart = " (at the next start)"
	differ("control", a.Control, b.Control, atStart)
	differ("operators", fmt.Sprint(a.Operators), fmt.Sprint(b.Operators), atStart)
	differ("runtime", a.Runtime, b.Runtime, atStart)
	differ("log.to", a.Log.To, b.Log.To, "")
	differ("log.format", a.Log.Format, b.Log.Format, "")
	differ("log.facility", a.Log.Facility, b.Log.Facility, "")
	return lines
}
