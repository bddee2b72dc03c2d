package masterd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/brood-project/brood/internal/maillog"
	"github.com/brood-project/brood/internal/master"
	"github.com/brood-project/brood/internal/mastercf"
	"github.com/brood-project/brood/internal/plan"
)

// postconfs are where the installed Postfix's postconf(1) may be, which knows
// the defaults that its distribution compiled in.
var postconfs = []string{"/usr/sbin/postconf", "/usr/local/sbin/postconf", "/opt/postfix/sbin/postconf"}

// configure reads main.cf and master.cf for the first time.
func (d *daemon) configure() error {
	options := mastercf.Options{
		Dir:     absolute(d.flags.configDir),
		Env:     os.Environ(),
		Verbose: d.flags.verbose,
		Debug:   d.flags.attached,
	}
	for _, path := range postconfs {
		if _, err := os.Stat(path); err == nil {
			said, err := ask(path)
			options.DefaultsFrom = func() (mastercf.Printed, error) { return said, err }
			break
		}
	}
	d.read = func(running *mastercf.Config) (*mastercf.Config, plan.Diagnostics) {
		options.Running = running
		return mastercf.Load(options)
	}
	config, ds := d.read(nil)
	if config != nil && config.SyslogName != "" {
		d.log.follow(config, d.flags.verbose)
	}
	if config == nil || config.Plan == nil || ds.Failed() {
		return ds
	}
	d.log.warnings(ds)
	d.config = config
	// Postfix's master works in the queue directory from here on, and names
	// its files from there.
	if err := os.Chdir(config.QueueDir); err != nil {
		return fmt.Errorf("chdir %s: %s", config.QueueDir, Strerror(err))
	}
	return nil
}

// absolute is a directory as it is found from wherever we work later on; empty
// stays empty.
func absolute(dir string) string {
	if dir == "" || filepath.IsAbs(dir) {
		return dir // as it is written: logs and children's MAIL_CONFIG have it so
	}
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

// reload reads both files again. The configuration in force is touched only
// when all of it has been found good and is carried out.
func (d *daemon) reload() (*master.Proposal, error) {
	d.answerOperatorsStill()
	config, ds := d.read(d.config)
	if config == nil || config.Plan == nil || ds.Failed() {
		return nil, ds
	}
	return &master.Proposal{
		Plan:     config.Plan,
		Warnings: ds,
		Accepted: func() {
			d.config = config
			d.log.follow(config, d.flags.verbose)
			go master.Shed()
		},
	}, nil
}

// warnings logs what does not stand in the way, in Postfix's words where it has
// some.
func (l *logs) warnings(ds plan.Diagnostics) {
	for _, d := range ds {
		if d.Severity == plan.Warning {
			for _, line := range wording(d) {
				slog.New(l).Warn(line)
			}
		}
	}
}

// wording is the lines that Postfix logs of a diagnostic, or our own.
func wording(d plan.Diagnostic) []string {
	if d.Postfix != "" {
		return strings.Split(d.Postfix, "\n")
	}
	return []string{d.String()}
}

// fatalLines logs why the process ends: what Postfix knows of in its words,
// which other programs read, and before that our own with the place and the
// remedy.
func (l *logs) fatalLines(err error) []string {
	var ds plan.Diagnostics
	if !errors.As(err, &ds) {
		return []string{err.Error()}
	}
	var fatal []string
	for _, d := range ds {
		if d.Severity == plan.Error {
			slog.New(l).Log(context.Background(), maillog.Error, d.String())
			fatal = append(fatal, wording(d)...)
		} else {
			l.warnings(plan.Diagnostics{d})
		}
	}
	return fatal[:min(len(fatal), 1)]
}
