package masterd

import (
	"path/filepath"

	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/operator"
)

// controlSocket is the name of the operators' socket, beside master.pid. Postfix
// knows nothing of it and has no use for it.
const controlSocket = "brood.sock"

// answerOperators opens the operators' socket. Mail flows without it, so that it
// cannot be opened is a warning and no more.
func (d *daemon) answerOperators() {
	path := filepath.Join(d.config.ProcessIDDir, controlSocket)
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.config.QueueDir, path)
	}
	server, err := control.Listen(path, control.Options{Brood: d.version})
	if err != nil {
		d.warnOfSilence(err)
		return
	}
	server.Serve(operator.New(d.master))
	d.operators = server
}

// answerOperatorsStill opens the operators' socket anew where somebody has
// removed its file, on every reload.
func (d *daemon) answerOperatorsStill() {
	if d.operators == nil {
		return
	}
	if err := d.operators.Renew(); err != nil {
		d.warnOfSilence(err)
	}
}

func (d *daemon) warnOfSilence(err error) {
	d.log.warn(err.Error() + "; mail flows, and the brood command cannot reach this master")
}

// hangUp ends the operators' socket, and waits a moment for answers under way.
func (d *daemon) hangUp() {
	if d.operators != nil {
		d.operators.Close() // its file may stay, and the next start replaces it
	}
}
