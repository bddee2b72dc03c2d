package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/brood-project/brood/cmd/brood/view"
	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/scoreboard"
)

func eventsCommand() *cobra.Command {
	d, req := &daemon{}, control.Request{Do: control.VerbEvents}
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Tell what has happened, and what happens",
		Long: `events tells what has happened of late, the oldest first, as far back as the
daemon keeps it; with --follow it goes on as it happens, until it is
interrupted. With --json each event is a line.

Where events come faster than they are read, some are dropped, and the number of
those is told.`,
		Example: `  brood events
  brood events --follow --service web`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible()
			defer stop()
			err := d.follow(ctx, req, printEvents(cmd, d.json))
			if ctx.Err() != nil {
				return nil // It was asked to end, and a follower ends no other way.
			}
			return err
		},
	}
	d.talks(cmd)
	cmd.Flags().BoolVarP(&req.Follow, "follow", "f", false, "go on as it happens")
	cmd.Flags().StringVar(&req.Service, "service", "", "only what concerns the `service`")
	cmd.Flags().Uint64Var(&req.Since, "since", 0, "leave out events up to this `number` (seq in JSON)")
	mustRegister(cmd.RegisterFlagCompletionFunc("service", d.completeServices(0)))
	return cmd
}

// printEvents prints one after the other, and tells of gaps.
func printEvents(cmd *cobra.Command, asJSON bool) func(json.RawMessage) error {
	out := cmd.OutOrStdout()
	look, last := screenOf(out), uint64(0)
	return func(data json.RawMessage) error {
		if asJSON {
			_, err := fmt.Fprintf(out, "%s\n", data)
			return err
		}
		var e scoreboard.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("cannot understand an event: %w", err)
		}
		if last > 0 && e.Seq > last+1 && cmd.Flag("service").Value.String() == "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "brood: %d events were dropped here\n", e.Seq-last-1)
		}
		last = e.Seq
		_, err := fmt.Fprintln(out, view.Event(&e, look))
		return err
	}
}
