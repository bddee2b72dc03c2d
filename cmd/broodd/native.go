package main

import (
	"fmt"
	"os"
	"strings"
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

usage: broodd [-c FILE]           serve what FILE asks for; without it
                                  /etc/brood/brood.toml, or else ./brood.toml
       broodd --check [-c FILE]   say all that is wrong with FILE
       broodd --demo DIR          serve the built-in demonstration below DIR
       broodd --version           say which version this is
       broodd --help              this text

Called by the name of master it is Postfix's master(8) and takes that command's
options; "brood postfix install" puts it there.

A signal TERM or INT ends it: workers finish their clients first. A second one,
or QUIT, ends them at once. HUP reads FILE again; a file with a mistake changes
nothing.
Exit status: 0 done, 1 failed, 2 usage.
`

// order is what the command line asks for.
type order struct {
	config string
	demo   string
	check  bool
	say    string // a text, and no more
}

// nativeMain is broodd under its own name. It returns the exit status.
func nativeMain(args []string) int {
	o, err := parse(args[1:])
	switch {
	case err != nil:
		fmt.Fprintf(os.Stderr, "broodd: %v\n\n%s", err, help)
		return exitUsage
	case o.say != "":
		fmt.Print(o.say)
		return exitDone
	case o.demo != "":
		if err := serveDemo(o.demo); err != nil {
			fmt.Fprintln(os.Stderr, "broodd:", err)
			return exitFailed
		}
		return exitDone
	}
	if o.config == "" {
		o.config = configFile()
	}
	if o.config == "" {
		fmt.Fprintln(os.Stderr, "broodd: cannot find a configuration: there is neither "+strings.Join(configFiles, " nor ./")+
			"; name one with -c FILE, or write a first one with brood init")
		return exitFailed
	}
	if o.check {
		return checkConfig(os.Stdout, o.config)
	}
	return serve(o.config)
}

// parse reads the command line.
func parse(args []string) (o order, err error) {
	for len(args) > 0 {
		option := args[0]
		args = args[1:]
		switch option {
		case "-c", "--demo":
			if len(args) == 0 || args[0] == "" {
				return o, fmt.Errorf("option %s needs a value", option)
			}
			if option == "-c" {
				o.config = args[0]
			} else {
				o.demo = args[0]
			}
			args = args[1:]
		case "--check":
			o.check = true
		case "--version":
			o.say = "broodd " + version + "\n"
		case "--help", "-h":
			o.say = help
		default:
			return o, fmt.Errorf("cannot make sense of the argument %q", option)
		}
	}
	if o.demo != "" && (o.config != "" || o.check) {
		return o, fmt.Errorf("option --demo goes with no other")
	}
	return o, nil
}
