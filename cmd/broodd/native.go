package main

import (
	"fmt"
	"os"
)

// version is set by the linker.
var version = "dev"

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

const help = `broodd is the daemon of brood: it owns the listening sockets and gives birth to
workers when clients wait.

usage: broodd --demo DIR     serve the built-in demonstration below DIR
       broodd --version      say which version this is
       broodd --help         this text

Called by the name of master it is Postfix's master(8) and takes that command's
options; "brood postfix install" puts it there.

A signal TERM or INT ends it with its workers, HUP reloads it.
Exit status: 0 done, 1 failed, 2 usage.
`

// nativeMain is broodd under its own name. It returns the exit status.
func nativeMain(args []string) int {
	err := fmt.Errorf("cannot tell what to do: no option")
	switch {
	case len(args) == 2 && args[1] == "--version":
		fmt.Println("broodd", version)
		return exitDone
	case len(args) == 2 && (args[1] == "--help" || args[1] == "-h"):
		fmt.Print(help)
		return exitDone
	case len(args) == 3 && args[1] == "--demo" && args[2] != "":
		if err := serveDemo(args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "broodd:", err)
			return exitFailed
		}
		return exitDone
	case len(args) > 1:
		err = fmt.Errorf("cannot make sense of the arguments %q", args[1:])
	}
	fmt.Fprintf(os.Stderr, "broodd: %v\n\n%s", err, help)
	return exitUsage
}
