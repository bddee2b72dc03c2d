package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/brood-project/brood/internal/control"
)

// deed is a command that has the daemon do one thing to services.
type deed struct {
	verb        control.Verb
	short, long string
}

// deeds are such commands.
var deeds = []deed{
	{
		control.VerbRestart, "Replace the workers of services by new ones",
		`restart replaces the workers of each SERVICE. One that has a client finishes it
first; the sockets stay open, and no client is refused. A worker that does not
tell whether it has one gets stop.signal at once: its clients are safe if its
program finishes them then, as gunicorn does, and node does only where its code
says so.`,
	},
	{
		control.VerbPause, "Let no more workers be born",
		`pause lets no more workers be born for each SERVICE until "brood resume", also
over reloads. Those that live go on serving; clients for whom there is none wait
in the kernel's queue, for the sockets stay open. A paused service is not ready.
"brood drain" has all new clients wait.`,
	},
	{
		control.VerbResume, "Let paused or drained services go on",
		`resume ends a pause or a drain of each SERVICE.`,
	},
	{
		control.VerbWake, "Wake services up as their timer would",
		`wake wakes each SERVICE up at once, as its timer would: wakeup in master.cf,
every in a brood.toml.`,
	},
	{
		control.VerbReset, "Try births again now that have failed",
		`reset ends a throttle of each SERVICE, and takes back that brood gave up: births
are tried again at once, and count as if none had failed.`,
	},
}

// deedCommands makes a command of each.
func deedCommands() []func() *cobra.Command {
	all := make([]func() *cobra.Command, len(deeds))
	for i, what := range deeds {
		all[i] = deedCommand(what)
	}
	return all
}

func deedCommand(what deed) func() *cobra.Command {
	return func() *cobra.Command {
		d, all := &daemon{}, false
		cmd := &cobra.Command{
			Use:               string(what.verb) + " SERVICE...",
			Short:             what.short,
			Long:              what.long,
			ValidArgsFunction: d.completeServices(0),
			Args: func(_ *cobra.Command, args []string) error {
				switch {
				case len(args) == 0 && !all:
					return errors.New("name a service, or say --all")
				case len(args) > 0 && all:
					return errors.New("--all goes with no service")
				}
				return nil
			},
			RunE: func(cmd *cobra.Command, args []string) error {
				if all {
					args = []string{""}
				}
				for _, service := range args {
					if err := d.do(cmd, control.Request{Do: what.verb, Service: service}); err != nil {
						return err
					}
				}
				return nil
			},
		}
		d.talks(cmd)
		cmd.Flags().BoolVar(&all, "all", false, "all services")
		return cmd
	}
}

// do sends an order and says what was answered.
func (d *daemon) do(cmd *cobra.Command, req control.Request) error {
	ctx, stop := interruptible()
	defer stop()
	done := control.Done{}
	if err := d.order(ctx, req, &done); err != nil {
		return err
	}
	if d.json {
		return printJSON(cmd.OutOrStdout(), done)
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), done.Text)
	return err
}

func scaleCommand() *cobra.Command {
	d := &daemon{}
	var least, spare int
	cmd := &cobra.Command{
		Use:   "scale SERVICE [MAX]",
		Short: "Change how many workers a service may have, until the next reload",
		Long: `scale sets how many workers SERVICE may have at most, until the next reload,
which sets what is written in the configuration. Workers above it leave when
they are free. The answer says so.`,
		Example: `  brood scale web 16
  brood scale web --spare 4`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name a service")
			}
			return upTo(2)(cmd, args)
		},
		ValidArgsFunction: d.completeServices(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			req := control.Request{Do: control.VerbScale, Service: args[0]}
			if len(args) > 1 {
				most, err := strconv.Atoi(args[1])
				if err != nil || most < 0 {
					return usageError{fmt.Errorf("MAX is a number of workers, not %q", args[1])}
				}
				req.Max = &most
			}
			if cmd.Flags().Changed("min") {
				req.Min = &least
			}
			if cmd.Flags().Changed("spare") {
				req.Spare = &spare
			}
			if req.Max == nil && req.Min == nil && req.Spare == nil {
				return usageError{errors.New("say MAX, --min or --spare")}
			}
			return d.do(cmd, req)
		},
	}
	d.talks(cmd)
	cmd.Flags().IntVar(&least, "min", 0, "the `number` that live always")
	cmd.Flags().IntVar(&spare, "spare", 0, "the `number` of idle ones that are kept ready")
	return cmd
}
