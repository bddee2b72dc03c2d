package masterd

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/child"
	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/maillog"
	"github.com/brood-project/brood/internal/master"
	"github.com/brood-project/brood/internal/mastercf"
	"github.com/brood-project/brood/internal/plan"
)

// Exit statuses of master(8).
const (
	exitDone   = 0
	exitFailed = 1
)

// threadsReserved is more than all that the daemon does at one time: the loop,
// a reload, wake-ups, last words, the collector.
const threadsReserved = 8

// daemon is one run of the command.
type daemon struct {
	flags flags
	args  []string
	// version is brood's own, for pictures.
	version string
	ready   int // descriptor by which the foreground is told; -1 for none
	log     *logs
	config  *mastercf.Config
	master  *master.Master
	// operators answers those who ask by the control socket; nil for nobody.
	operators *control.Server
	// read loads both files; what is running is kept where it can't change.
	read func(running *mastercf.Config) (*mastercf.Config, plan.Diagnostics)
}

// Main is master(8), in a version of brood. It returns the exit status.
func Main(args []string, version string) int {
	unix.Umask(0o077)
	debug.SetGCPercent(master.GarbagePercent)
	d := &daemon{args: args, version: version, ready: background(), log: newLogs()}
	if err := d.run(); err != nil {
		d.log.fatal(err)
		return exitFailed
	}
	return exitDone
}

// run does what the command line asks for.
func (d *daemon) run() (err error) {
	if d.flags, err = parseFlags(d.args[1:]); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("the master command is reserved for the superuser")
	}
	if d.flags.initMode && os.Getpid() != 1 {
		return fmt.Errorf("-i is allowed only for PID 1 process")
	}
	if d.flags.wait && d.ready < 0 {
		return startInBackground(d.args)
	}
	if err := d.configure(); err != nil {
		return err
	}
	if d.flags.test {
		return d.testLock()
	}
	return d.serve()
}

// testLock is -t: it fails if a master is running.
func (d *daemon) testLock() error {
	held, err := lockHeld(d.pidFile())
	if err == nil && held {
		os.Exit(exitFailed)
	}
	return err
}

func (d *daemon) pidFile() string {
	return filepath.Join(d.config.ProcessIDDir, "master.pid")
}

// serve becomes the daemon and ends with it.
func (d *daemon) serve() error {
	if err := d.detach(); err != nil {
		return err
	}
	if err := d.lock(); err != nil {
		return err
	}
	child.ReserveThreads(threadsReserved)
	child.Yield()
	m, err := master.New(d.options())
	if err != nil {
		return err
	}
	d.log.info(fmt.Sprintf("daemon started -- %s", d.describe()))
	d.master = m
	d.answerOperators()
	if d.wantsDebugger() {
		if err := d.debug(); err != nil {
			d.log.warn(err.Error())
		}
	}
	tellReady(d.ready)
	go func() {
		// The loop answers once it has begun to watch all its sockets.
		if m.Call(context.Background(), func() {}) == nil {
			master.Shed()
		}
	}()
	if d.flags.exits {
		time.AfterFunc(d.flags.exitAfter, func() {
			d.log.info("master exit time has arrived")
			d.hangUp()
			os.Exit(exitDone)
		})
	}
	defer d.confess()
	d.end(m.Run())
	return nil
}

// confess logs why the loop died of a fault of its own, and dies. A stack
// trace on the standard error would go to nobody.
func (d *daemon) confess() {
	fault := recover()
	if fault == nil {
		return
	}
	d.log.direct()
	log := slog.New(d.log)
	log.Log(context.Background(), maillog.Panic, fmt.Sprint(fault))
	for line := range strings.Lines(string(debug.Stack())) {
		log.Log(context.Background(), maillog.Panic, strings.TrimRight(line, "\n"))
	}
	d.log.close()
	endBy(unix.SIGABRT)
}

// detach leaves what the command came from: its descriptors, its terminal, its
// session.
func (d *daemon) detach() error {
	closeInherited(d.ready)
	if err := child.Reserve(); err != nil {
		return fmt.Errorf("cannot reserve descriptors: %w", err)
	}
	if !d.flags.attached {
		if err := leaveTerminal(d.flags.stdout || d.flags.initMode); err != nil {
			return err
		}
	}
	if !d.flags.attached && !d.flags.initMode {
		if err := leadSession(); err != nil {
			return err
		}
	}
	return nil
}

// lock takes both lock files: the one that Postfix's tools read, and the one
// that keeps two instances from sharing a data directory.
func (d *daemon) lock() error {
	if err := lockFile(d.pidFile(), 0, 0); err != nil {
		return err
	}
	return lockFile(filepath.Join(d.config.DataDir, "master.lock"), d.config.MailOwner.UID, d.config.MailOwner.GID)
}

func (d *daemon) describe() string {
	return fmt.Sprintf("version %s, configuration %s", d.config.MailVersion, d.config.ConfigDir)
}

// options is what the loop needs to know.
func (d *daemon) options() master.Options {
	return master.Options{
		First:          d.config.Plan,
		Reload:         d.reload,
		Describe:       d.describe(),
		LimitFile:      "master.cf",
		Log:            slog.New(d.log),
		LastWords:      d.log.lastWords,
		WakeUID:        d.config.MailOwner.UID,
		WakeGID:        d.config.MailOwner.GID,
		QueueDirectory: d.config.QueueDir,
		Version:        d.version,
	}
}

// end does what Postfix's master does on a signal: it passes TERM on to all that
// it has started, says so, and ends by the same signal.
func (d *daemon) end(sig os.Signal) {
	number, _ := sig.(unix.Signal)
	signal.Ignore(unix.SIGTERM)
	d.log.direct()
	terminateAll()
	d.hangUp()
	d.log.info(fmt.Sprintf("terminating on signal %d", number))
	d.log.close()
	endBy(number)
}

// terminateAll passes TERM on to all that was started by us. A process group that
// we do not lead is somebody else's, and may reach out of our pid namespace.
func terminateAll() {
	switch pid := os.Getpid(); {
	case pid == 1:
		_ = unix.Kill(-1, unix.SIGTERM) // all of the namespace
	case unix.Getpgrp() == pid:
		_ = unix.Kill(-pid, unix.SIGTERM)
	default:
		child.SignalAll(unix.SIGTERM)
	}
}
