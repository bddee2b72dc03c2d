package worker

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/brood-project/brood/masterproto"
)

// arguments are what a master's argument vector says.
type arguments struct {
	service      string // as the operator wrote it; the program's base name when not said
	transport    string
	sockets      int
	verbose      int
	single       bool // the only process of its service
	unlimited    bool
	attached     bool // the master was run with -d
	unprivileged bool
	chroot       bool
	stdio        bool
	stderr       bool
	parameters   map[string]string // -o NAME=VALUE, the last one wins
	rest         []string
}

// parseArguments reads a vector without its first element. It follows
// getopt(3): letters may be joined, a value may be glued to its letter, "--"
// and the first operand end the options.
func parseArguments(name string, argv []string) (arguments, error) {
	a := arguments{service: name, sockets: 1, parameters: map[string]string{}}
	for len(argv) > 0 {
		word := argv[0]
		if word == "--" {
			argv = argv[1:]
			break
		}
		if len(word) < 2 || word[0] != '-' {
			break
		}
		argv = argv[1:]
		for i := 1; i < len(word); i++ {
			if !takesValue(word[i]) {
				if err := a.flag(word[i]); err != nil {
					return a, err
				}
				continue
			}
			value := word[i+1:]
			if value == "" {
				if len(argv) == 0 {
					return a, fmt.Errorf("cannot parse arguments: option -%c wants a value", word[i])
				}
				value, argv = argv[0], argv[1:]
			}
			if err := a.value(word[i], value); err != nil {
				return a, err
			}
			break
		}
	}
	a.rest = argv
	return a, nil
}

func takesValue(letter byte) bool {
	switch letter {
	case masterproto.OptName, masterproto.OptTransport, masterproto.OptParameter,
		masterproto.OptSockets, masterproto.OptMaxIdle, masterproto.OptMaxUse:
		return true
	}
	return false
}

func (a *arguments) flag(letter byte) error {
	switch letter {
	case masterproto.OptSingle:
		a.single = true
	case masterproto.OptUnlimited:
		a.unlimited = true
	case masterproto.OptDebug:
		a.attached = true
	case masterproto.OptVerbose:
		a.verbose++
	case masterproto.OptUnprivileged:
		a.unprivileged = true
	case masterproto.OptChroot:
		a.chroot = true
	case masterproto.OptStdio:
		a.stdio = true
	case masterproto.OptStderr:
		a.stderr = true
	case masterproto.OptDebugger:
		// A debugger is attached to a Go program by other means.
	default:
		return fmt.Errorf("cannot parse arguments: unknown option -%c", letter)
	}
	return nil
}

func (a *arguments) value(letter byte, value string) error {
	switch letter {
	case masterproto.OptName:
		a.service = value
	case masterproto.OptTransport:
		a.transport = value
	case masterproto.OptMaxIdle:
		a.parameters[masterproto.ParameterMaxIdle] = value
	case masterproto.OptMaxUse:
		a.parameters[masterproto.ParameterMaxUse] = value
	case masterproto.OptSockets:
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return fmt.Errorf("cannot parse arguments: option -s wants a number above 0, not %q", value)
		}
		a.sockets = n
	case masterproto.OptParameter:
		name, v, ok := strings.Cut(value, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return fmt.Errorf("cannot parse arguments: option -o wants NAME=VALUE, not %q", value)
		}
		a.parameters[name] = strings.TrimSpace(v)
	}
	return nil
}
