package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/cmd/brood/tour"
	"github.com/brood-project/brood/internal/demo"
)

func demoCommand() *cobra.Command {
	var quick bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See a birth, a full pool, a crash, the recovery and a reload",
		Long: `demo starts a real broodd with a small built-in service, connects clients to it
and tells what happens and why, in a dozen seconds: a birth, a full pool, a
crash that is held back and named, the recovery, a reload that keeps the socket.
Then it serves a brood.toml of five lines, whose worker is a shell.

It needs no root, no Postfix and no network, and leaves no process and no file
behind, also when it is interrupted. Colours are for terminals; NO_COLOR=1 in
the environment turns them off.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			broodd, err := findBroodd()
			if err != nil {
				return err
			}
			// A pipe that is closed ends the tour as a signal does, so that it
			// can clean up.
			ctx, stop := signal.NotifyContext(context.Background(),
				syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
			defer stop()
			out := cmd.OutOrStdout()
			return tour.Run(ctx, tour.Options{Broodd: broodd, Out: out, Look: lookOf(out), Quick: quick})
		},
	}
	cmd.Flags().BoolVar(&quick, "quick", false, "leave out the pauses for reading")
	return cmd
}

// demoWorkerCommand is what the demonstration's workers run. Its arguments are
// those that a master gives, which are none of cobra's.
func demoWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use:                demo.WorkerCommand,
		Short:              "Be a worker of the demonstration",
		Hidden:             true,
		DisableFlagParsing: true,
		Run: func(_ *cobra.Command, args []string) {
			os.Args = append([]string{demo.WorkerCommand}, args...)
			tour.Work()
		},
	}
}

// findBroodd is the daemon beside this command, or else the one in PATH.
func findBroodd() (string, error) {
	if self, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(self), "broodd")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath("broodd")
	if err != nil {
		return "", fmt.Errorf("cannot find broodd beside this command or in PATH; build both with 'make build'")
	}
	return path, nil
}

// lookOf is how the output wants to be written to.
func lookOf(out io.Writer) tour.Look {
	look := tour.Look{Unicode: speaksUTF8()}
	if f, ok := out.(*os.File); ok {
		_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
		look.Color = err == nil && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return look
}

// speaksUTF8 follows locale(7): the first that is set decides.
func speaksUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToLower(os.Getenv(name)); value != "" {
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}
