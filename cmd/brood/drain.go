package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/brood-project/brood/cmd/brood/view"
	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/scoreboard"
)

func drainCommand() *cobra.Command {
	d := &daemon{}
	var deadline time.Duration
	var all bool
	cmd := &cobra.Command{
		Use:   "drain [SERVICE]",
		Short: "Take no new clients, and let workers finish those they have",
		Long: `drain has SERVICE take no new clients and waits until its workers have finished
those that they have. When the deadline comes first, the workers that are left
get the stop signal, and KILL where that does not help; they are named, and the
status is 1. "brood resume", or the next reload, lets the service take clients
again.

With --all it is all services, and broodd ends when they have: the gentle way to
stop it. To interrupt this command does not end the drain.`,
		Example: `  brood drain web --deadline 10s
  brood drain --all`,
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) > 0) || len(args) > 1 {
				return errors.New("name one service, or say --all")
			}
			return nil
		},
		ValidArgsFunction: d.completeServices(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if deadline < 0 {
				return usageError{errors.New("--deadline is a time to come")}
			}
			req := control.Request{Do: control.VerbDrain, Deadline: int64(deadline)}
			if !all {
				req.Service = args[0]
			}
			return d.drain(cmd, req)
		},
	}
	d.talks(cmd)
	cmd.Flags().DurationVar(&deadline, "deadline", 0, "how long workers may take; else as configured")
	cmd.Flags().BoolVar(&all, "all", false, "all services; broodd ends")
	return cmd
}

// drain tells how far one has come, and names those that were cut off.
func (d *daemon) drain(cmd *cobra.Command, req control.Request) error {
	ctx, stop := interruptible()
	defer stop()
	out := cmd.OutOrStdout()
	var last scoreboard.Progress
	said := ""
	err := d.follow(ctx, req, func(data json.RawMessage) error {
		last = scoreboard.Progress{}
		if err := json.Unmarshal(data, &last); err != nil {
			return fmt.Errorf("cannot understand how far the drain is: %w", err)
		}
		if d.json {
			_, err := fmt.Fprintf(out, "%s\n", data)
			return err
		}
		line := view.Drain(&last)
		if line == said {
			return nil
		}
		said = line
		_, err := fmt.Fprintln(out, line)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted; the drain goes on, and \"brood status\" shows it")
	case err != nil:
		return err
	case len(last.CutOff) == 0:
		return nil
	}
	if !d.json {
		fmt.Fprint(cmd.ErrOrStderr(), view.CutOff(&last))
	}
	if len(last.CutOff) == 1 {
		return errors.New("a worker was cut off with its client at the deadline")
	}
	return fmt.Errorf("%d workers were cut off with their clients at the deadline", len(last.CutOff))
}

func stopCommand() *cobra.Command {
	d, now := &daemon{}, false
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop broodd",
		Long: `stop ends broodd as the signal TERM does: with a brood.toml, workers finish
their clients first; in the place of Postfix's master, they are asked to end at
once, as with "postfix stop". "brood drain --all" is gentle in both, and waits.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return d.do(cmd, control.Request{Do: control.VerbStop, Now: now})
		},
	}
	d.talks(cmd)
	cmd.Flags().BoolVar(&now, "now", false, "wait for nobody")
	return cmd
}
