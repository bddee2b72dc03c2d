package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// answersByStatus marks a command whose status 2 is an answer. With it, a command line
// that means nothing is 1, so that a script does not take it for that answer.
const answersByStatus = "answers by exit status"

// nouns are the commands below brood, each made in the file of its name.
var nouns = append([]func() *cobra.Command{
	checkCommand,
	completionCommand,
	demoCommand,
	demoWorkerCommand,
	drainCommand,
	eventsCommand,
	initCommand,
	planCommand,
	postfixCommand,
	reloadCommand,
	scaleCommand,
	statusCommand,
	stopCommand,
	versionCommand,
	whyCommand,
}, deedCommands()...)

// The groups in which brood --help shows the commands.
const (
	groupSee    = "see"
	groupChange = "change"
	groupSetUp  = "set-up"
)

var groups = map[string]string{
	"status": groupSee, "why": groupSee, "events": groupSee, "plan": groupSee,
	"reload": groupChange, "restart": groupChange, "scale": groupChange, "pause": groupChange, "resume": groupChange,
	"wake": groupChange, "reset": groupChange, "drain": groupChange, "stop": groupChange,
	"init": groupSetUp, "check": groupSetUp, "demo": groupSetUp, "postfix": groupSetUp, "completion": groupSetUp, "version": groupSetUp,
}

// usageError is a command line that means nothing.
type usageError struct{ error }

// quietly ends a command with an exit status that says it all.
type quietly int

// Error is for callers that do not know it.
func (q quietly) Error() string { return fmt.Sprint("exit status ", int(q)) }

// run is the whole command. It returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	root, began := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteC()
	if err == nil {
		return exitDone
	}
	if status := quietly(0); errors.As(err, &status) {
		return int(status)
	}
	fmt.Fprintln(stderr, "brood:", err)
	// What fails before a command begins is the fault of the command line.
	if usage := (usageError{}); errors.As(err, &usage) || !*began {
		fmt.Fprintf(stderr, "Try '%s --help'.\n", command.CommandPath())
		if command.Annotations[answersByStatus] != "" {
			return exitFailed
		}
		return exitUsage
	}
	return exitFailed
}

// rootCommand puts the commands together. What it points to becomes true when
// the command line has been understood.
func rootCommand() (root *cobra.Command, began *bool) {
	began = new(bool)
	root = &cobra.Command{
		Use:   "brood",
		Short: "A process manager that gives birth to workers when clients wait",
		Long: `brood shows what broodd does, changes it while it runs, and installs it.

broodd is the daemon: it owns listening sockets, gives birth to a worker when a
client waits, bounds the pool, buries the dead, holds back what crashes at
birth, and says why. It does so for any program, from a brood.toml, and for
Postfix in the place of its master(8).`,
		Example: `  brood demo                        see it work, in a dozen seconds
  brood status                      all services at a glance
  brood why web                     what is the matter with one
  brood plan; brood reload          look, then carry it out
  brood postfix install --dry-run   what it would take to run your Postfix`,
		Args:          oneOfItsCommands,
		RunE:          chooseOne,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			*began = true
		},
	}
	root.AddGroup(
		&cobra.Group{ID: groupSee, Title: "See what happens:"},
		&cobra.Group{ID: groupChange, Title: "Change what runs:"},
		&cobra.Group{ID: groupSetUp, Title: "Set up:"},
	)
	for _, noun := range nouns {
		cmd := noun()
		cmd.GroupID, cmd.SuggestFor = groups[cmd.Name()], habits[cmd.Name()]
		root.AddCommand(cmd)
	}
	root.SetHelpCommandGroupID(groupSetUp)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.SetFlagErrorFunc(wrongFlag)
	root.Version = version
	root.SetVersionTemplate("brood {{.Version}}\n")
	root.Flags().Bool("version", false, "say which version this is")
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Long = "help says what a command does, as its option --help."
		help.Short = "Say what a command does"
	}
	nameHelp(root)
	root.SetHelpTemplate(root.HelpTemplate() + `{{if not (index .Annotations "` + answersByStatus + `")}}
Exit status: 0 done, 1 failed, 2 usage.
{{end}}`)
	return root, began
}

// nameHelp gives --help the same words everywhere.
func nameHelp(cmd *cobra.Command) {
	cmd.InitDefaultHelpFlag()
	cmd.Flags().Lookup("help").Usage = "say what there is"
	for _, below := range cmd.Commands() {
		nameHelp(below)
	}
}

// chooseOne is the RunE of a command that has others below it: it names them.
func chooseOne(cmd *cobra.Command, _ []string) error {
	cmd.SetOut(cmd.ErrOrStderr())
	if err := cmd.Help(); err != nil {
		return err
	}
	fmt.Fprintln(cmd.ErrOrStderr())
	return usageError{fmt.Errorf("%s wants one of its commands", cmd.CommandPath())}
}
