package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Options is what the operator asks for.
type Options struct {
	// Broodd is the daemon to put in place; Install only.
	Broodd string
	// DryRun says every step and does none.
	DryRun bool
	// Now stops and starts a running Postfix, so that it runs under the master
	// that is in place afterwards.
	Now bool
	// Out is told every step.
	Out io.Writer
}

// Install puts broodd in the place of master. When it is there already, nothing
// is done but what is missing.
func Install(ctx context.Context, o Options) error {
	s, err := lookAround(ctx)
	if err != nil {
		return err
	}
	ours, err := inspect(o.Broodd)
	if err != nil {
		return err
	}
	if err := s.mayInstall(ours, o.DryRun); err != nil {
		return err
	}
	if ours.same(s.master) && s.settled() {
		return finish(ctx, o, s, nil, ours, fmt.Sprintf("%s is in place already", ours.name(ctx)))
	}
	var steps []step
	if s.master.exists {
		steps = append(steps, checkStep())
	}
	steps = append(steps, step{
		say: fmt.Sprintf("try %s with the daemons in %s, on a scratch instance", o.Broodd, s.daemonDir),
		do:  func(ctx context.Context) error { return s.trial(ctx, o.Broodd) },
	})
	if !s.aside.exists {
		steps = append(steps, s.setAsideStep())
	}
	if s.packaged && !s.diverted() {
		steps = append(steps, s.divertStep())
	}
	change := []step{s.putStep(o.Broodd), checkStep()}
	return finish(ctx, o, s, steps, ours, "brood's master is in place", change...)
}

// settled tells whether there is nothing to mend beside the master itself.
func (s *site) settled() bool { return s.aside.exists && (!s.packaged || s.diverted()) }

// mayInstall refuses what can't go well.
func (s *site) mayInstall(ours binary, dry bool) error {
	if err := s.mayChange(dry); err != nil {
		return err
	}
	if err := ours.fit(); err != nil {
		return err
	}
	stock := s.master
	if !stock.exists || stock.brood {
		stock = s.aside
	}
	switch {
	case !stock.exists:
		return refuse("Postfix's own master is neither at %s nor at %s; reinstall Postfix first", s.master.path, s.aside.path)
	case s.aside.exists && s.aside.brood:
		return refuse("%s is broodd and not Postfix's own master; reinstall Postfix first", s.aside.path)
	case s.aside.exists && s.master.exists && !s.master.brood && !s.aside.same(s.master):
		return refuse("both %s and %s are there, and neither is brood's; move the one away that you do not want",
			s.master.path, s.aside.path)
	}
	return nil
}

// mayChange refuses what neither installing nor uninstalling can cope with.
func (s *site) mayChange(dry bool) error {
	if s.diverter != "" && !s.diverted() {
		who := "the operator"
		if s.diverter != "LOCAL" {
			who = "package " + s.diverter
		}
		return refuse("%s is diverted to %s by %s already; see dpkg-divert(1)", s.master.path, s.divertedTo, who)
	}
	if os.Geteuid() != 0 {
		if dry {
			return nil
		}
		return refuse("this needs root; --dry-run does not")
	}
	if err := unix.Access(s.daemonDir, unix.W_OK); err != nil {
		return refuse("%s can't be written to: %v", s.daemonDir, err)
	}
	return nil
}

// Uninstall puts Postfix's own master back. When it is there already, nothing
// is done but what is missing.
func Uninstall(ctx context.Context, o Options) error {
	s, err := lookAround(ctx)
	if err != nil {
		return err
	}
	if s.master.exists && !s.master.brood && !s.halfDone() {
		return finish(ctx, o, s, nil, s.master, "Postfix's own master is in place already")
	}
	if err := s.mayChange(o.DryRun); err != nil {
		return err
	}
	if !s.aside.exists && (!s.master.exists || s.master.brood) {
		return refuse("Postfix's own master is not at %s; reinstall Postfix (apt-get install --reinstall postfix)", s.aside.path)
	}
	change := []step{}
	if s.aside.exists {
		change = append(change, s.putBackStep())
	}
	if s.diverted() {
		change = append(change, s.undivertStep())
	}
	change = append(change, checkStep())
	stock := s.aside
	if !stock.exists {
		stock = s.master
	}
	return finish(ctx, o, s, nil, stock, "Postfix's own master is in place", change...)
}

// halfDone tells whether an installation was cut short before our master was in
// place. A file of somebody else's is left alone.
func (s *site) halfDone() bool {
	if s.aside.exists {
		return s.aside.same(s.master)
	}
	return s.diverted()
}

// finish carries out the steps, with the change between a stop and a start of
// Postfix if that was asked for, and says what remains to be done.
func finish(ctx context.Context, o Options, s *site, steps []step, after binary, done string, change ...step) error {
	switching := s.running != 0 && !after.same(s.runs)
	stop := s.stopAndStart(ctx)
	if o.Now && switching {
		steps = append(append(append(steps, stop.stopStep()), change...), stop.startStep())
	} else {
		steps = append(steps, change...)
	}
	if o.DryRun && len(steps) > 0 {
		fmt.Fprintln(o.Out, "dry run: these would be the steps, and nothing is changed")
	}
	err := carryOut(ctx, o.Out, o.DryRun, steps)
	s.tidy()
	if err != nil {
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted; nothing is changed")
		}
		return fmt.Errorf("cannot exchange the master: %w", err)
	}
	if o.DryRun && len(steps) > 0 {
		return nil
	}
	fmt.Fprintln(o.Out, done)
	switch {
	case s.running == 0:
		if len(steps) > 0 && os.Geteuid() == 0 {
			fmt.Fprintln(o.Out, "Postfix is not running; start it as always")
		}
	case switching && !o.Now:
		fmt.Fprintf(o.Out, "Postfix goes on under the master that it was started with (%s, pid %d);\n"+
			"it changes at the next stop and start (%s), or now with --now\n", s.runs.name(ctx), s.running, stop)
	case switching:
		fmt.Fprintf(o.Out, "Postfix runs under it, pid %d\n", s.running)
	}
	return nil
}
