package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/brood-project/brood/cmd/brood/view"
	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/scoreboard"
)

// statusOptions are those of brood status.
type statusOptions struct {
	daemon
	all, prometheus bool
	wait            string
	timeout         time.Duration
}

func statusCommand() *cobra.Command {
	o := &statusOptions{}
	cmd := &cobra.Command{
		Use:   "status [SERVICE]",
		Short: "Show what all services do, or one with its workers",
		Long: `status shows all services at a glance: the state of each in one word, how many
workers are busy and idle, how many clients wait and for how long, and how many
workers were born and have failed. The services stand in the order of the
configuration; above them, what needs attention. Columns that do not fit the
line are left out; where a terminal is too short for all, services that rest are
counted. A pipe gets them all.

With SERVICE it shows that one in detail, with each of its workers.

The states are:
` + stateTable() + `
A service is ready when it takes clients, also when no worker lives at the
moment; degraded when it serves, but something is wrong; failing when it does
not serve. The whole is failing when an essential service is, or all are;
degraded when any service is not ready.`,
		Example: `  brood status
  brood status web
  brood status --wait ready --timeout 30s && echo up
  brood status --prometheus >/var/lib/node_exporter/brood.prom`,
		Args:              upTo(1),
		ValidArgsFunction: o.completeServices(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible()
			defer stop()
			return o.run(ctx, cmd, strings.Join(args, ""))
		},
	}
	o.talks(cmd)
	cmd.Flags().BoolVar(&o.all, "all", false, "show services that rest, too, however many there are")
	cmd.Flags().BoolVar(&o.prometheus, "prometheus", false, "print metrics for a text-file collector")
	cmd.Flags().StringVar(&o.wait, "wait", "", "wait until the `health` is ready, or at least degraded")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long --wait waits")
	cmd.MarkFlagsMutuallyExclusive("json", "prometheus", "wait")
	mustRegister(cmd.RegisterFlagCompletionFunc("wait", cobra.FixedCompletions([]cobra.Completion{"ready", "degraded"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// stateTable is the states for people.
func stateTable() string {
	var b strings.Builder
	for _, s := range scoreboard.States {
		fmt.Fprintf(&b, "  %-10s %s\n", s.State, s.Meaning)
	}
	return b.String()
}

func (o *statusOptions) run(ctx context.Context, cmd *cobra.Command, service string) error {
	out := cmd.OutOrStdout()
	if o.wait != "" {
		return o.waitFor(ctx, service)
	}
	if cmd.Flags().Changed("timeout") {
		return usageError{errors.New("--timeout goes with --wait")}
	}
	p, err := o.picture(ctx, control.Request{Service: service, Workers: service != "", Memory: service != "" || o.prometheus})
	if err != nil {
		return err
	}
	look := screenOf(out)
	switch {
	case o.json:
		return printJSON(out, judge(p))
	case o.prometheus:
		_, err = fmt.Fprint(out, scoreboard.Prometheus(p))
	case service == "":
		_, err = fmt.Fprint(out, view.Status(p, look, o.all))
	default:
		// The picture has those only that the daemon takes the name for.
		for i := range p.Services {
			if i > 0 {
				fmt.Fprintln(out)
			}
			if _, err = fmt.Fprint(out, view.Service(p, &p.Services[i], look)); err != nil {
				break
			}
		}
	}
	return err
}

const (
	// askFirst and askMost are how soon --wait asks again: at first at once, as
	// most things become ready soon, later rarely.
	askFirst = 20 * time.Millisecond
	askMost  = time.Second
)

// waitFor asks until the health is as good as wanted.
func (o *statusOptions) waitFor(ctx context.Context, service string) error {
	wanted := scoreboard.Health(o.wait)
	if wanted != scoreboard.Ready && wanted != scoreboard.Degraded {
		return usageError{fmt.Errorf("--wait wants ready or degraded, not %q", o.wait)}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, errTimeout)
	defer cancel()
	pause, wrong := askFirst, error(nil)
	for {
		reasons, err := o.lacks(ctx, service, wanted)
		if err == nil && reasons == nil {
			return nil
		}
		// That the last question was cut short does not say what is wrong.
		switch {
		case err == nil:
			wrong = errors.New(strings.Join(reasons, "; "))
		case wrong == nil || ctx.Err() == nil:
			wrong = err
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
			pause = min(2*pause, askMost)
			continue
		case <-ctx.Done():
			again.Stop()
		}
		if errors.Is(context.Cause(ctx), errTimeout) {
			return fmt.Errorf("not %s after %v: %w", wanted, o.timeout, wrong)
		}
		return errors.New("interrupted")
	}
}

var errTimeout = errors.New("the time is up")

// lacks is why the health is not as good as wanted; nil if it is.
func (o *statusOptions) lacks(ctx context.Context, service string, wanted scoreboard.Health) ([]string, error) {
	p, err := o.picture(ctx, control.Request{Service: service})
	if err != nil {
		return nil, err
	}
	if service == "" {
		if health, reasons := p.Health(); !health.AtLeast(wanted) {
			return reasons, nil
		}
		return nil, nil
	}
	var all []string
	for i := range p.Services {
		s := &p.Services[i]
		if health, reason := s.Health(p); !health.AtLeast(wanted) {
			all = append(all, s.Title(p)+": "+reason)
		}
	}
	return all, nil
}
