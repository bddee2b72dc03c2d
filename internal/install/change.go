package install

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Files of ours beside the master while it is exchanged.
const (
	freshFile  = ".master.brood-new"
	beforeFile = ".master.brood-before"
)

func (s *site) fresh() string  { return filepath.Join(s.daemonDir, freshFile) }
func (s *site) before() string { return filepath.Join(s.daemonDir, beforeFile) }

// tidy removes what an exchange needed on its way.
func (s *site) tidy() {
	os.Remove(s.fresh())
	os.Remove(s.before())
}

// checkStep has Postfix check its own installation. It comes before a change,
// so that faults that were there are not taken for ours, and after it.
func checkStep() step {
	return step{say: "check the installation: postfix check", do: func(ctx context.Context) error {
		postfix, err := find("postfix")
		if err != nil {
			return err
		}
		if _, err := output(ctx, postfix, "check"); err != nil {
			return fmt.Errorf("%w (the mail log may say more)", err)
		}
		return nil
	}}
}

// setAsideStep gives Postfix's own master its second name.
func (s *site) setAsideStep() step {
	return step{
		say: fmt.Sprintf("keep Postfix's own master as %s", s.aside.path),
		do: func(context.Context) error {
			if err := os.Link(s.master.path, s.aside.path); err != nil {
				return fmt.Errorf("cannot keep Postfix's own master: %w", err)
			}
			return nil
		},
		undo: func(context.Context) error { return os.Remove(s.aside.path) },
	}
}

// divertStep tells dpkg where the package's file belongs from now on. The file
// itself has been taken care of, so dpkg is to rename nothing.
func (s *site) divertStep() step {
	return step{
		say:  "have package upgrades go there: dpkg-divert " + strings.Join(s.divertArgs(), " "),
		do:   func(ctx context.Context) error { return divert(ctx, s.divertArgs()) },
		undo: func(ctx context.Context) error { return divert(ctx, s.undivertArgs()) },
	}
}

func (s *site) divertArgs() []string {
	return []string{"--local", "--no-rename", "--divert", s.aside.path, "--add", s.master.path}
}

func (s *site) undivertArgs() []string {
	return []string{"--local", "--no-rename", "--divert", s.aside.path, "--remove", s.master.path}
}

// undivertStep ends that.
func (s *site) undivertStep() step {
	return step{
		say:  "have package upgrades come back: dpkg-divert " + strings.Join(s.undivertArgs(), " "),
		do:   func(ctx context.Context) error { return divert(ctx, s.undivertArgs()) },
		undo: func(ctx context.Context) error { return divert(ctx, s.divertArgs()) },
	}
}

func divert(ctx context.Context, args []string) error {
	path, err := find("dpkg-divert")
	if err == nil {
		_, err = output(ctx, path, args...)
	}
	return err
}

// putStep puts broodd in place by one rename. A master that runs goes on with
// the file that it was started from.
func (s *site) putStep(broodd string) step {
	return step{
		say: fmt.Sprintf("put %s in the place of %s", broodd, s.master.path),
		do: func(context.Context) error {
			if err := s.remember(); err != nil {
				return err
			}
			if err := copyExecutable(broodd, s.fresh()); err != nil {
				return err
			}
			return s.rename(s.fresh(), s.master.path)
		},
		undo: s.recall,
	}
}

// putBackStep puts Postfix's own master back by one rename.
func (s *site) putBackStep() step {
	return step{
		say: fmt.Sprintf("put Postfix's own master back in the place of %s", s.master.path),
		do: func(context.Context) error {
			if err := s.remember(); err != nil {
				return err
			}
			// Two names of one file would both stay after a rename.
			if s.aside.same(s.master) {
				return os.Remove(s.aside.path)
			}
			return s.rename(s.aside.path, s.master.path)
		},
		undo: func(ctx context.Context) error {
			if err := os.Link(s.master.path, s.aside.path); err != nil {
				return fmt.Errorf("cannot set Postfix's own master aside again: %w", err)
			}
			return s.recall(ctx)
		},
	}
}

// remember keeps the master that is in place until the exchange is over.
func (s *site) remember() error {
	if !s.master.exists {
		return nil
	}
	os.Remove(s.before())
	if err := os.Link(s.master.path, s.before()); err != nil {
		return fmt.Errorf("cannot keep the master that is in place: %w", err)
	}
	return nil
}

// recall puts it back.
func (s *site) recall(context.Context) error {
	if !s.master.exists {
		return os.Remove(s.master.path)
	}
	return s.rename(s.before(), s.master.path)
}

// rename exchanges a file of the daemon directory, and has the disk know it. A
// file system that can't sync a directory has renamed the file nevertheless.
func (s *site) rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("cannot exchange the master: %w", err)
	}
	if dir, err := os.Open(s.daemonDir); err == nil {
		_ = dir.Sync()
		dir.Close()
	}
	return nil
}

// copyExecutable copies a program, owned by root and safe on the disk. What lay
// at its new path is not written through but replaced.
func copyExecutable(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("cannot copy broodd: %w", err)
	}
	defer source.Close()
	os.Remove(to)
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return fmt.Errorf("cannot copy broodd: %w", err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if _, err = io.Copy(f, source); err == nil {
		err = f.Chown(0, 0)
	}
	if err == nil {
		err = f.Chmod(0o755)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("cannot copy broodd: %w", err)
	}
	return nil
}
