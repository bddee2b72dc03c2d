package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/brood-project/brood/cmd/brood/view"
	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/scoreboard"
)

// exitDifference is the status of brood plan when a reload would change
// something.
const exitDifference = 2

func planCommand() *cobra.Command {
	d, service := &daemon{}, ""
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Say what a reload would do, and do nothing",
		Long: `plan has the daemon read its configuration again and says what a reload would
do: which services are added, removed and changed, in what, whose workers are
replaced and why, and how many services stay as they are. Nothing is changed.

Exit status: 0 when a reload would change nothing, 2 when it would change
something, 1 when it would be refused (every mistake is told then, with
FILE:LINE), or when brood cannot tell.`,
		Annotations: map[string]string{answersByStatus: "yes"},
		Args:        noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible()
			defer stop()
			o := scoreboard.Outcome{}
			if err := d.order(ctx, control.Request{Do: control.VerbPlan, Service: service}, &o); err != nil {
				return d.mistakes(cmd, err, "a reload would be refused")
			}
			if err := d.tellOutcome(cmd, &o, false); err != nil {
				return err
			}
			if len(o.Changes) > 0 {
				return quietly(exitDifference)
			}
			return nil
		},
	}
	d.talks(cmd)
	cmd.Flags().StringVar(&service, "service", "", "what a reload of this `service` alone would do")
	mustRegister(cmd.RegisterFlagCompletionFunc("service", d.completeServices(0)))
	return cmd
}

func reloadCommand() *cobra.Command {
	d, service := &daemon{}, ""
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the daemon carry out its configuration as it is now",
		Long: `reload has the daemon read its configuration again, waits until that is carried
out, and says what has changed. It is all or nothing: where anything stands in
the way, such as a mistake in the file or an address that somebody else has,
nothing changes, every reason is told with FILE:LINE, and the status is 1.

With --service only that service is changed, added or removed; what else is
different in the file waits for the next reload. Of Postfix, its processes are
renewed then, and no others.`,
		Example: `  brood plan; brood reload
  brood reload --service web`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible()
			defer stop()
			o := scoreboard.Outcome{}
			if err := d.order(ctx, control.Request{Do: control.VerbReload, Service: service}, &o); err != nil {
				return d.mistakes(cmd, err, "nothing has changed")
			}
			return d.tellOutcome(cmd, &o, true)
		},
	}
	d.talks(cmd)
	cmd.Flags().StringVar(&service, "service", "", "only this `service`")
	mustRegister(cmd.RegisterFlagCompletionFunc("service", d.completeServices(0)))
	return cmd
}

func (d *daemon) tellOutcome(cmd *cobra.Command, o *scoreboard.Outcome, done bool) error {
	out := cmd.OutOrStdout()
	if d.json {
		return printJSON(out, o)
	}
	_, err := fmt.Fprint(out, view.Outcome(o, screenOf(out), done))
	return err
}

// mistakes tells what is wrong with a configuration, a line each, and what
// follows from it. Other errors it hands back.
func (d *daemon) mistakes(cmd *cobra.Command, err error, follows string) error {
	refused := (*control.Error)(nil)
	if !errors.As(err, &refused) || len(refused.Diagnostics) == 0 {
		return err
	}
	if d.json {
		if err := printJSON(cmd.OutOrStdout(), refused); err != nil {
			return err
		}
		return quietly(exitFailed)
	}
	wrong := 0
	for _, diagnostic := range refused.Diagnostics {
		fmt.Fprintln(cmd.ErrOrStderr(), diagnostic.Text)
		if diagnostic.Error {
			wrong++
		}
	}
	return countMistakes(wrong, follows)
}

// countMistakes ends what has told mistakes one by one, with what follows.
func countMistakes(n int, follows string) error {
	if n == 1 {
		return fmt.Errorf("there is a mistake, and %s", follows)
	}
	return fmt.Errorf("there are %d mistakes, and %s", n, follows)
}
