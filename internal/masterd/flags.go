package masterd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// flags is the command line, in the words of master(8).
type flags struct {
	debugger  bool          // -D
	attached  bool          // -d
	initMode  bool          // -i
	stdout    bool          // -s
	test      bool          // -t
	wait      bool          // -w
	verbose   int           // -v
	configDir string        // -c
	exitAfter time.Duration // -e; 0 is at once
	exits     bool          // -e was given
}

// exitMost is the longest -e in seconds, a hundred years; what is above is as good
// as never, and no span of time holds it.
const exitMost = 100 * 365 * 24 * 3600

const usage = "usage: master [-c config_dir] [-D (debug)] [-d (don't detach from terminal)] [-i (init mode)] " +
	"[-e exit_time] [-s (keep stdout)] [-t (test)] [-v] [-w (wait for initialization)]"

// parseFlags reads the command line as getopt(3) would: letters may be joined,
// values may be glued to theirs.
func parseFlags(args []string) (f flags, err error) {
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" {
			args = args[1:]
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			break
		}
		args = args[1:]
		for letters := arg[1:]; letters != ""; {
			letter := letters[0]
			letters = letters[1:]
			if strings.IndexByte("ce", letter) < 0 {
				if err := f.set(letter); err != nil {
					return f, err
				}
				continue
			}
			value := letters
			letters = ""
			if value == "" {
				if len(args) == 0 {
					return f, fmt.Errorf("option -%c needs a value; %s", letter, usage)
				}
				value, args = args[0], args[1:]
			}
			if err := f.setValue(letter, value); err != nil {
				return f, err
			}
		}
	}
	if len(args) > 0 {
		return f, errors.New(usage)
	}
	return f, f.check()
}

func (f *flags) set(letter byte) error {
	switch letter {
	case 'D':
		f.debugger = true
	case 'd':
		f.attached = true
	case 'i':
		f.initMode = true
	case 's':
		f.stdout = true
	case 't':
		f.test = true
	case 'v':
		f.verbose++
	case 'w':
		f.wait = true
	default:
		return errors.New(usage)
	}
	return nil
}

func (f *flags) setValue(letter byte, value string) error {
	if letter == 'c' {
		if value == "" {
			// It would mean the system's own configuration, from a script whose
			// variable is empty.
			return errors.New("option -c: the directory is empty")
		}
		f.configDir = value
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return fmt.Errorf("option -e: %q is not a number of seconds", value)
	}
	f.exitAfter, f.exits = time.Duration(min(n, exitMost))*time.Second, true
	return nil
}

// check refuses combinations that have no meaning.
func (f *flags) check() error {
	if f.test && f.wait {
		return errors.New("the -t and -w options cannot be used together")
	}
	if f.initMode && (f.debugger || f.attached || f.wait) {
		return errors.New("the -i option cannot be used with -D, -d, or -w")
	}
	return nil
}
