package mastercf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/golden"
	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// TestGolden reads testdata/NAME/main.cf and master.cf and compares the plan,
// as text, with testdata/NAME/plan.txt. A master's environment and options
// may be in testdata/NAME/env and testdata/NAME/flags.
func TestGolden(t *testing.T) {
	dirs, err := filepath.Glob("testdata/golden/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			o := Options{Dir: dir, Lookups: fakeLookups(), Env: strings.Split(read(t, dir+"/env"), "\n")}
			flags := read(t, dir+"/flags")
			o.Debug, o.Verbose = strings.Contains(flags, "-d"), strings.Count(flags, "-v")
			config, diagnostics := Load(o)
			golden.Compare(t, dir+"/plan.txt", dump(config, diagnostics))
		})
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(data)
}

var networks = map[plan.Network]string{
	plan.NetTCP: "tcp", plan.NetUnix: "unix", plan.NetUnixgram: "unixgram", plan.NetFifo: "fifo",
}

// dump is a plan as text that a reviewer can read.
func dump(c *Config, diagnostics plan.Diagnostics) string {
	var b strings.Builder
	for _, d := range diagnostics {
		fmt.Fprintf(&b, "%s: %s\n", map[plan.Severity]string{plan.Warning: "warning", plan.Error: "error"}[d.Severity], d)
	}
	if c.Plan == nil {
		return b.String() + "no plan\n"
	}
	fmt.Fprintf(&b, "log as %s/master, facility %s, file %q\n", c.SyslogName, c.SyslogFacility, c.MaillogFile)
	fmt.Fprintf(&b, "environment %s\n", strings.Join(c.Environment, " | "))
	for _, s := range c.Plan.Services {
		fmt.Fprintf(&b, "\n%s (%s) at %s:%d\n", s.Key, s.Name, filepath.Base(s.Pos.File), s.Pos.Line)
		for _, e := range s.Endpoints {
			if e.Network == plan.NetTCP {
				fmt.Fprintf(&b, "  listen tcp %s port %d backlog %d v6only %v\n", e.Addr, e.Port, e.Backlog, e.V6Only)
				continue
			}
			fmt.Fprintf(&b, "  listen %s %s mode %04o owner %d:%d backlog %d\n",
				networks[e.Network], e.Path, e.Mode, e.UID, e.GID, e.Backlog)
		}
		fmt.Fprintf(&b, "  run %s in %s\n  args %q\n", s.Command.Path, s.Command.Dir, s.Command.Args)
		if s.Command.StressArgs != nil {
			fmt.Fprintf(&b, "  stress %q\n", s.Command.StressArgs)
		}
		p := s.Policy
		fmt.Fprintf(&b, "  limit %d throttle %d s wakeup %d s on use %v stress %v\n",
			p.Limit, p.Throttle/pool.Second, p.Wakeup/pool.Second, p.WakeupOnUse, p.Stress)
	}
	return b.String()
}
