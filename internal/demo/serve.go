package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/maillog"
	"github.com/brood-project/brood/internal/master"
)

// farewell is how long the workers may take to end when broodd does.
const farewell = 2 * time.Second

// Options is what a demonstration is made from.
type Options struct {
	// Dir holds all its files. It is made if it does not exist.
	Dir string
	// Program is the brood command, which the workers run.
	Program string
	// Version is what the log says at the start.
	Version string
}

// Serve runs the demonstration until a signal ends it, and its workers with
// it. The log goes to the standard error; what the workers write there goes to
// WordsFile instead, where their last words are looked up.
func Serve(o Options) error {
	if err := o.prepare(); err != nil {
		return err
	}
	log, err := ownLog()
	if err != nil {
		return err
	}
	describe := fmt.Sprintf("version %s, built-in demonstration", o.Version)
	words := filepath.Join(o.Dir, WordsFile)
	m, err := master.New(master.Options{
		First: Plan(o.Dir, o.Program),
		Reload: func() (*master.Proposal, error) {
			return &master.Proposal{Plan: Plan(o.Dir, o.Program)}, nil
		},
		Describe:  describe,
		LimitFile: "the configuration",
		Log:       log,
		LastWords: func(pid int, died time.Time) string { return maillog.LastWords(words, pid, died) },
		WakeUID:   os.Geteuid(),
		WakeGID:   os.Getegid(),
	})
	if err != nil {
		return err
	}
	if err := giveAway(words); err != nil {
		return err
	}
	log.Info("daemon started -- " + describe)
	number, _ := m.Run().(syscall.Signal)
	log.Info(fmt.Sprintf("terminating on signal %d", int(number)))
	endWorkers()
	return nil
}

// prepare makes what is missing in the directory.
func (o *Options) prepare() error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the demonstration's directory: %w", err)
	}
	greeting := filepath.Join(o.Dir, GreetingFile)
	if _, err := os.Stat(greeting); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(greeting, []byte("hello\n"), 0o600); err != nil {
			return fmt.Errorf("cannot write the greeting: %w", err)
		}
	}
	return nil
}

// ownLog writes to what is the standard error now, also when that has been
// given to the workers.
func ownLog() (*slog.Logger, error) {
	fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("cannot keep the standard error: %w", err)
	}
	return slog.New(maillog.NewText(os.NewFile(uintptr(fd), "log"))), nil
}

// giveAway has the standard output and error, which the workers inherit, lead
// to a file.
func giveAway(file string) error {
	words, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open the workers' log: %w", err)
	}
	defer words.Close()
	for _, theirs := range []int{1, 2} {
		if err := unix.Dup3(int(words.Fd()), theirs, 0); err != nil {
			return fmt.Errorf("cannot redirect the workers: %w", err)
		}
	}
	return nil
}

// endWorkers ends the process group and buries who was in it. Where the group
// is somebody else's, the workers learn of our end from their status channel.
func endWorkers() {
	if unix.Getpgrp() != os.Getpid() {
		return
	}
	signal.Ignore(unix.SIGTERM)
	_ = unix.Kill(-os.Getpid(), unix.SIGTERM)
	buried := make(chan struct{})
	go func() {
		defer close(buried)
		for {
			if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && err != unix.EINTR {
				return // nobody is left
			}
		}
	}()
	select {
	case <-buried:
	case <-time.After(farewell):
	}
}
