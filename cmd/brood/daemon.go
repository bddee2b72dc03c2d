package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/inspect"
	"github.com/brood-project/brood/internal/native"
	"github.com/brood-project/brood/internal/scoreboard"
)

// socketName is that of the control socket in the daemon's directory.
const socketName = "brood.sock"

const (
	// answerMost is how long a daemon may take for what it knows already.
	answerMost = 10 * time.Second
	// silentMost is how long it may say nothing until a person is told so.
	silentMost = 3 * time.Second
)

// daemon is how a command finds the broodd that it asks.
type daemon struct {
	socket, config string
	// json has the answer printed for programs.
	json bool
	// stderr is where the command complains while it waits, complained tells
	// that it has.
	stderr     func() io.Writer
	complained sync.Once
}

// talks gives a command the options of all those that ask the daemon.
func (d *daemon) talks(cmd *cobra.Command) {
	d.stderr = cmd.ErrOrStderr
	cmd.Flags().StringVar(&d.socket, "socket", "", "ask at this control `socket`")
	cmd.Flags().StringVar(&d.config, "config", "", "ask who serves `path`: a brood.toml or /etc/postfix")
	cmd.Flags().BoolVar(&d.json, "json", false, "answer in JSON")
	mustRegister(cmd.RegisterFlagCompletionFunc("socket", cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)))
	mustRegister(cmd.RegisterFlagCompletionFunc("config", cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)))
}

// mustRegister is for what can fail only by a mistake of ours.
func mustRegister(err error) {
	if err != nil {
		panic(err)
	}
}

// places are where the socket may be, the likeliest first. Where the operator
// has named one, it is the only one.
func (d *daemon) places(ctx context.Context) ([]string, error) {
	if d.socket != "" {
		return []string{d.socket}, nil
	}
	if d.config != "" {
		path, err := socketOf(ctx, d.config)
		return []string{path}, err
	}
	if path := os.Getenv("BROOD_SOCKET"); path != "" {
		return []string{path}, nil
	}
	all := []string{"/run/brood/" + socketName}
	if own := native.OS().Runtime; own != "/run/brood" {
		all = append(all, filepath.Join(own, socketName))
	} else if run := os.Getenv("XDG_RUNTIME_DIR"); strings.HasPrefix(run, "/") {
		all = append(all, filepath.Join(run, "brood", socketName))
	}
	return append(all, "/var/spool/postfix/pid/"+socketName), nil
}

// socketOf is the socket of the daemon that serves a configuration: a brood.toml
// or a directory with one, or Postfix's directory with its main.cf.
func socketOf(ctx context.Context, config string) (string, error) {
	if _, err := os.Stat(filepath.Join(config, "main.cf")); err == nil {
		return postfixSocket(ctx, config)
	}
	if info, err := os.Stat(config); err == nil && info.IsDir() {
		config = filepath.Join(config, "brood.toml")
	}
	if _, err := os.Stat(config); err != nil {
		return "", fmt.Errorf("cannot find the daemon by its configuration: %w; --config wants a brood.toml, or a directory with one or with a main.cf", err)
	}
	// What else is wrong in the file does not matter here.
	loaded, _ := native.Load(config, native.Options{System: native.OS()})
	if loaded == nil || loaded.Brood.Runtime == "" {
		return filepath.Join(native.OS().Runtime, socketName), nil
	}
	return filepath.Join(loaded.Brood.Runtime, socketName), nil
}

// postfixSocket asks postconf(1) where the master's files are.
func postfixSocket(ctx context.Context, config string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerMost)
	defer cancel()
	out, err := exec.CommandContext(ctx, "postconf", "-c", config, "-hx", "queue_directory", "process_id_directory").Output()
	words := strings.Fields(string(out))
	if err != nil || len(words) != 2 {
		return "", fmt.Errorf("cannot find the daemon by %s: postconf: %w", config, err)
	}
	dir := words[1]
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(words[0], dir)
	}
	return filepath.Join(dir, socketName), nil
}

// dial connects to the first place that answers.
func (d *daemon) dial(ctx context.Context) (*control.Client, error) {
	places, err := d.places(ctx)
	if err != nil {
		return nil, err
	}
	// To be let in takes no order's time.
	ctx, cancel := context.WithTimeout(ctx, answerMost)
	defer cancel()
	var first error
	for _, path := range places {
		c, err := control.Dial(ctx, path)
		if err == nil {
			return c, nil
		}
		if len(places) == 1 {
			return nil, err
		}
		// What is there and does not answer says more than what is not there.
		if first == nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, control.ErrNotRunning) {
			first = err
		}
	}
	if first != nil {
		return nil, first
	}
	return nil, fmt.Errorf("no brood answers; looked at %s. Start broodd, or name its socket with --socket PATH, BROOD_SOCKET or --config FILE",
		strings.Join(places, ", "))
}

// ask sends one request about what the daemon knows already.
func (d *daemon) ask(ctx context.Context, req control.Request, into any) error {
	ctx, cancel := context.WithTimeout(ctx, answerMost)
	defer cancel()
	return d.send(ctx, req, into)
}

// order sends one request that may take its time.
func (d *daemon) order(ctx context.Context, req control.Request, into any) error {
	err := d.send(ctx, req, into)
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted; what was asked may be done all the same, and \"brood events\" tells")
	}
	return err
}

func (d *daemon) send(ctx context.Context, req control.Request, into any) error {
	c, err := d.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	defer d.patient(c, false)()
	return c.Do(ctx, req, into)
}

// patient says once, where the daemon says nothing for a while, that it is waited
// for, and what keeps it. One that is quiet because nothing happens says nothing
// either: of that one it is told only when it cannot run. The function that it
// returns ends the watch.
func (d *daemon) patient(c *control.Client, quiet bool) (heard func()) {
	watch := time.AfterFunc(silentMost, func() {
		held, help := c.Held()
		switch {
		case held != "":
			held, help = " "+held+" and", "; "+help
		case quiet:
			return
		}
		d.complained.Do(func() {
			fmt.Fprintf(d.stderr(), "brood: broodd (pid %d)%s has not answered for %v; waiting%s\n", c.PID(), held, silentMost, help)
		})
	})
	return func() { watch.Stop() }
}

// picture asks for one. Of a single service it has that one only.
func (d *daemon) picture(ctx context.Context, req control.Request) (*scoreboard.Picture, error) {
	req.Do = control.VerbPicture
	p, err := d.drawn(ctx, req)
	if err != nil {
		return nil, err
	}
	names := map[string]string{} // The daemon tells users by number.
	for i := range p.Services {
		user := &p.Services[i].User
		if *user == "" {
			continue
		}
		if _, known := names[*user]; !known {
			names[*user] = inspect.UserName(*user)
		}
		*user = names[*user]
	}
	return p, nil
}

const (
	// busyTries is how often a daemon is asked that is too busy to draw itself,
	// busyPause how long it is left alone in between.
	busyTries = 20
	busyPause = 100 * time.Millisecond
)

// drawn is a picture with services. A daemon that is busy may have none at the
// moment, not even an old one.
func (d *daemon) drawn(ctx context.Context, req control.Request) (*scoreboard.Picture, error) {
	for tries := 1; ; tries++ {
		p := &scoreboard.Picture{}
		if err := d.ask(ctx, req, p); err != nil {
			return nil, err
		}
		switch {
		case p.Stale == 0 || len(p.Services) > 0:
			return p, nil
		case tries == busyTries:
			return nil, fmt.Errorf("broodd (pid %d) is busy or hangs: its loop has not answered for %s; ask again, or look at it: top -H -p %d",
				p.PID, scoreboard.Span(p.Stale), p.PID)
		}
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// follow sends a request that is answered by many lines.
func (d *daemon) follow(ctx context.Context, req control.Request, each func(json.RawMessage) error) error {
	c, err := d.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	heard := d.patient(c, req.Follow)
	defer heard()
	last, err := c.Stream(ctx, req, func(line json.RawMessage) error {
		heard()
		return each(line)
	})
	if err == nil && len(last) > 0 {
		err = each(last)
	}
	return err
}

// interruptible ends with the signals that ask a command to end. A pipe that is
// closed ends it as well.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
}

// printJSON writes a value for programs.
func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// completeServices offers the names of the services that the daemon has.
func (d *daemon) completeServices(most int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		p, err := d.picture(ctx, control.Request{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []cobra.Completion
		for i := range p.Services {
			s := &p.Services[i]
			names = append(names, cobra.CompletionWithDesc(s.Title(p), string(s.State(p))))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
