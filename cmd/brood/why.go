package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/brood-project/brood/cmd/brood/view"
	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/inspect"
	"github.com/brood-project/brood/internal/scoreboard"
)

func whyCommand() *cobra.Command {
	d := &daemon{}
	var events, facts bool
	cmd := &cobra.Command{
		Use:   "why [SERVICE]",
		Short: "Say in plain sentences why a service is as it is",
		Long: `why tells the story of SERVICE: first the cause, as far as it is known, and what
that was concluded from; then what happened last and how often, what brood does
next and when, and what you can do. Without SERVICE it tells of all services
that are not ready, and of a reload that was refused.

Besides, it looks at the machine as it is now: whether the program, its
interpreter and its libraries, the directory and the user exist, who has the
address, whether files that were named can be read by that user, and whether a
limit is reached. What is found stands below "Found now": it may have changed
since the failure. This is done by the command itself, with your rights.

With --events it prints the flight recorder: the last steps of SERVICE, and what
its pool did about each.`,
		Example: `  brood why
  brood why web
  brood why web --events`,
		Args:              upTo(1),
		ValidArgsFunction: d.completeServices(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			service := strings.Join(args, "")
			ctx, stop := interruptible()
			defer stop()
			if events {
				if service == "" {
					return usageError{errors.New("--events wants a SERVICE")}
				}
				return d.recorder(ctx, cmd, service)
			}
			return d.why(ctx, cmd, service, !facts)
		},
	}
	d.talks(cmd)
	cmd.Flags().BoolVar(&events, "events", false, "print the flight recorder")
	cmd.Flags().BoolVar(&facts, "no-inspection", false, "do not look at the machine as it is now")
	return cmd
}

// why tells the story of one service, or of all that are not ready.
func (d *daemon) why(ctx context.Context, cmd *cobra.Command, service string, look bool) error {
	p, err := d.picture(ctx, control.Request{Service: service, Workers: service != ""})
	if err != nil {
		return err
	}
	services := unwell(p)
	if service != "" {
		services = services[:0]
		for i := range p.Services { // those only that the daemon takes the name for
			services = append(services, &p.Services[i])
		}
	}
	stories := make([]scoreboard.Story, 0, len(services))
	for _, s := range services {
		var found []scoreboard.Finding
		if look {
			found = inspect.Service(p, s)
		}
		stories = append(stories, s.Why(p, found))
	}
	out := cmd.OutOrStdout()
	if d.json {
		return printJSON(out, stories)
	}
	if service == "" {
		if _, err := fmt.Fprint(out, view.Whole(p, len(stories), screenOf(out))); err != nil {
			return err
		}
	}
	for i, st := range stories {
		if i > 0 || service == "" {
			fmt.Fprintln(out)
		}
		if _, err := fmt.Fprint(out, view.Story(st, screenOf(out))); err != nil {
			return err
		}
	}
	return nil
}

// unwell are the services that are not ready, the failing ones first.
func unwell(p *scoreboard.Picture) []*scoreboard.Service {
	var failing, degraded []*scoreboard.Service
	for i := range p.Services {
		s := &p.Services[i]
		switch health, _ := s.Health(p); health {
		case scoreboard.Failing:
			failing = append(failing, s)
		case scoreboard.Degraded:
			degraded = append(degraded, s)
		case scoreboard.Ready:
		}
	}
	return append(failing, degraded...)
}

// recorder prints the last steps of a service.
func (d *daemon) recorder(ctx context.Context, cmd *cobra.Command, service string) error {
	var entries []scoreboard.Entry
	if err := d.ask(ctx, control.Request{Do: control.VerbRecorder, Service: service}, &entries); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if d.json {
		return printJSON(out, entries)
	}
	for i := range entries {
		if _, err := fmt.Fprintln(out, view.Entry(&entries[i], screenOf(out))); err != nil {
			return err
		}
	}
	return nil
}
