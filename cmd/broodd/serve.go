package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/child"
	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/master"
	"github.com/brood-project/brood/internal/native"
	"github.com/brood-project/brood/internal/output"
	"github.com/brood-project/brood/internal/plan"
)

// configFiles are where brood.toml is looked for when the command line does not
// say.
var configFiles = []string{"/etc/brood/brood.toml", "brood.toml"}

// lastLines is how long the log may take to be written at the end.
const lastLines = 2 * time.Second

// threadsReserved is more than all that the daemon usually does at one time: the
// loop, a reload, pictures of workers, a writer for each place of log lines.
const threadsReserved = 8

// configFile is the first of them that there is; none is "".
func configFile() string {
	for _, path := range configFiles {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path
		}
	}
	return ""
}

// checkConfig says all that is wrong with a file.
func checkConfig(w io.Writer, path string) int {
	ok, err := native.Check(w, path, native.Options{System: native.OS()})
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "broodd:", err)
		return exitFailed
	case !ok:
		return exitFailed
	}
	return exitDone
}

// daemon is one run of broodd with a brood.toml.
type daemon struct {
	path   string
	config *native.Config
	output *output.Collector
	log    *ownLog
	// operators answers those who ask by the control socket; nil for nobody.
	operators *control.Server
}

// serve runs a brood.toml until a signal ends it. It returns the exit status.
func serve(path string) int {
	// The kernel tells workers of our death when the thread that gave birth to
	// them ends: this one ends with the process.
	runtime.LockOSThread()
	if err := child.Reserve(); err != nil {
		fmt.Fprintln(os.Stderr, "broodd:", err)
		return exitFailed
	}
	child.ReserveThreads(threadsReserved)
	child.Yield()
	debug.SetGCPercent(master.GarbagePercent)
	config, ds := native.Load(path, native.Options{System: native.OS()})
	if len(ds) > 0 {
		_ = native.Render(os.Stderr, ds, config.Sources)
	}
	if ds.Failed() {
		return exitFailed
	}
	d := &daemon{path: path, config: config, output: output.New()}
	d.output.Trouble = func(to string, err error) { d.log.outputFailed(to, err) }
	d.log = newOwnLog(d.output, config.Brood.Output())
	defer d.output.Close(lastLines)
	if err := d.run(); err != nil {
		d.fatal(err)
		return exitFailed
	}
	return exitDone
}

// errGaveUp ends the daemon when a service with on_give_up = "exit" cannot be
// started.
var errGaveUp = errors.New("a service that cannot be started has on_give_up = \"exit\"")

func (d *daemon) run() error {
	if err := d.makeRuntime(d.config); err != nil {
		return err
	}
	if err := d.lockConfig(); err != nil {
		return err
	}
	m, err := master.New(d.options())
	if err != nil {
		return err
	}
	if d.operators, err = d.answerOperators(m); err != nil {
		return err
	}
	if d.operators != nil {
		defer d.operators.Close() // after the loop, so that a drain is told to its end
	}
	d.log.info("daemon started -- " + d.describe())
	go func() {
		// The loop answers once it has begun to watch all its sockets.
		if m.Call(context.Background(), func() {}) == nil {
			master.Shed()
		}
	}()
	m.Run()
	if m.Failed() {
		return errGaveUp
	}
	d.log.info("stopped")
	return nil
}

// makeRuntime makes the directory of {runtime}. One that somebody else has made
// before us, or that everybody may change, is not ours, and neither would be the
// sockets in it.
func (d *daemon) makeRuntime(c *native.Config) error {
	dir := c.Brood.Runtime
	err := os.MkdirAll(dir, 0o755)
	var st unix.Stat_t
	if err == nil {
		err = unix.Stat(dir, &st)
	}
	if err != nil {
		return fmt.Errorf("cannot make the runtime directory: %w; set brood.runtime in %s", err, d.path)
	}
	if owner := int(st.Uid); owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("cannot use the runtime directory %s: it belongs to user %d; set brood.runtime in %s", dir, owner, d.path)
	}
	if st.Mode&0o002 != 0 && st.Mode&unix.S_ISVTX == 0 {
		return fmt.Errorf("cannot use the runtime directory %s: everybody may write to it; chmod o-w, or set brood.runtime in %s", dir, d.path)
	}
	return nil
}

func (d *daemon) describe() string {
	return fmt.Sprintf("version %s, configuration %s", version, d.path)
}

func (d *daemon) options() master.Options {
	return master.Options{
		Version:   version,
		First:     d.config.Plan(),
		Reload:    d.reload,
		Describe:  d.describe(),
		LimitFile: d.path,
		Log:       slog.New(d.log),
		WakeUID:   os.Geteuid(),
		WakeGID:   os.Getegid(),
		Output:    d.output,
		Gentle:    true,
		Drain:     d.config.Brood.Drain,
	}
}

// reload reads the file anew. What is in force is touched only once all of it
// was found good and is carried out.
func (d *daemon) reload() (*master.Proposal, error) {
	d.answerOperatorsStill()
	config, ds := native.Load(d.path, native.Options{System: native.OS()})
	if ds.Failed() {
		return nil, ds
	}
	if err := d.makeRuntime(config); err != nil {
		return nil, err
	}
	return &master.Proposal{
		Plan:     config.Plan(),
		Warnings: ds,
		Drain:    config.Brood.Drain,
		Details:  d.details(config),
		Accepted: func() {
			d.config = config
			d.log.follow(config.Brood.Output())
			go master.Shed()
		},
	}, nil
}

// fatal says why the daemon ends, in the log and, where that is elsewhere, on
// the standard error.
func (d *daemon) fatal(err error) {
	lines := []string{err.Error()}
	var ds plan.Diagnostics
	if errors.As(err, &ds) {
		_ = native.Render(os.Stderr, ds, d.config.Sources)
		lines = lines[:0]
		for _, diagnostic := range ds {
			lines = append(lines, diagnostic.String())
		}
	} else {
		fmt.Fprintln(os.Stderr, "broodd:", err)
	}
	if d.log.elsewhere() {
		for _, line := range lines {
			d.log.fatal(line)
		}
	}
}
