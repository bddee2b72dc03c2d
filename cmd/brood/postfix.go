package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/brood-project/brood/internal/install"
)

func postfixCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "postfix",
		Short: "Run Postfix under broodd, or no longer",
		Long: `postfix puts broodd in the place of Postfix's master(8) and takes it away
again. Nothing else changes: the configuration, the queue, the daemons and the
commands stay Postfix's own.`,
		Args: oneOfItsCommands,
		RunE: chooseOne,
	}
	cmd.AddCommand(postfixInstallCommand(), postfixUninstallCommand(), postfixStatusCommand())
	return cmd
}

func postfixInstallCommand() *cobra.Command {
	var o install.Options
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Put broodd in the place of Postfix's master",
		Long: `install keeps Postfix's own master as master.distrib beside it, has dpkg-divert
know, so that package upgrades renew the one that was set aside, and puts broodd
in its place. Each change is one link or one rename: at every moment there is a
complete master in its place.

Before anything is changed, "postfix check" has to find no fault, and broodd has
to show on a scratch instance, with a queue of its own, that it runs with the
installed daemons. When a step fails, all those before it are taken back.

A running Postfix goes on as it is and comes under broodd with its next stop and
start; with --now it is stopped and started at once, by systemd where systemd
started it: new connections are refused for the moment in between, and
deliveries under way are tried again later.

It is refused, with the reason and status 1, without root, without Postfix or
with one older than 3.3, with a broodd that is missing or was built for another
machine, where somebody else diverts the file or has put one of his own there,
and where the daemon directory can't be written to.

Needs root, but for --dry-run. Doing it twice changes nothing.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := o.Broodd
			if path == "" {
				found, err := findBroodd()
				if err != nil {
					return err
				}
				path = found
			}
			var err error
			if o.Broodd, err = filepath.Abs(path); err != nil {
				return err
			}
			return exchange(cmd, install.Install, o)
		},
	}
	exchangeFlags(cmd, &o)
	cmd.Flags().StringVar(&o.Broodd, "broodd", "", "put `FILE` in place instead of the broodd beside brood")
	mustRegister(cmd.RegisterFlagCompletionFunc("broodd", cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)))
	return cmd
}

func postfixUninstallCommand() *cobra.Command {
	var o install.Options
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Put Postfix's own master back",
		Long: `uninstall puts Postfix's own master back in its place and ends dpkg's diversion.

A running Postfix goes on as it is and comes under its own master with its next
stop and start; with --now it is stopped and started at once.

Needs root, but for --dry-run. Doing it twice changes nothing.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return exchange(cmd, install.Uninstall, o) },
	}
	exchangeFlags(cmd, &o)
	return cmd
}

func postfixStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say which master is in place, and which one runs",
		Long: `status says which master is in place, which one is set aside, and under which
one Postfix runs.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return install.Status(context.Background(), cmd.OutOrStdout())
		},
	}
}

func exchangeFlags(cmd *cobra.Command, o *install.Options) {
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "say every step and do none")
	cmd.Flags().BoolVar(&o.Now, "now", false, "stop and start a running Postfix")
}

// exchange runs an exchange that an interrupt takes back.
func exchange(cmd *cobra.Command, do func(context.Context, install.Options) error, o install.Options) error {
	ctx, stop := interruptible()
	defer stop()
	o.Out = cmd.OutOrStdout()
	return do(ctx, o)
}
