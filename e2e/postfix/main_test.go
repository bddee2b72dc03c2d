package postfix

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// debianDaemons is where the package keeps master and its daemons.
const debianDaemons = "/usr/lib/postfix/sbin"

// flavour is a master under test.
type flavour struct {
	name string
	path string
}

// The two masters. TestMain says where they are; broodBuilt builds ours before
// its first use.
var (
	stock      = flavour{name: "stock"}
	brood      = flavour{name: "brood"}
	broodBuilt func() error
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		// The short tests need neither root nor Postfix, and here is nothing
		// without them.
		os.Exit(0)
	}
	os.Exit(run(m))
}

// run prepares what all tests share and returns the exit code.
func run(m *testing.M) int {
	if err := checkSurroundings(); err != nil {
		return complain(err)
	}
	before, err := fingerprint("/etc/postfix")
	if err != nil {
		return complain(err)
	}
	dir, err := os.MkdirTemp("", "brood-e2e-")
	if err != nil {
		return complain(err)
	}
	defer os.RemoveAll(dir)
	if stock.path, err = stockMaster(); err != nil {
		return complain(err)
	}
	brood.path = os.Getenv("BROOD_E2E_MASTER")
	broodBuilt = func() error { return nil }
	if brood.path == "" {
		brood.path = filepath.Join(dir, "master")
		broodBuilt = sync.OnceValue(func() error { return buildBrood(brood.path) })
	}
	code := m.Run()
	after, err := fingerprint("/etc/postfix")
	if err != nil {
		return complain(err)
	}
	if after != before {
		return complain(fmt.Errorf("the tests changed the machine's own mail system:\n%s\nwas\n%s", after, before))
	}
	return code
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "e2e/postfix:", err)
	return 1
}

// checkSurroundings names everything that is missing, at once.
func checkSurroundings() error {
	var missing []string
	if os.Geteuid() != 0 {
		missing = append(missing, "root (master(8) runs as root only)")
	}
	for _, tool := range []string{
		"postfix", "postconf", "postqueue", "postsuper", "postcat", "postalias", "postkick", "postmulti",
		"sendmail", "smtp-source", "smtp-sink", "swaks", "cpio", "unshare",
	} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool+" (apt-get install postfix swaks cpio util-linux)")
		}
	}
	if _, err := os.Stat(debianDaemons); err != nil {
		missing = append(missing, debianDaemons+" (apt-get install postfix)")
	}
	if len(missing) > 0 {
		return fmt.Errorf("these tests need %s", strings.Join(missing, ", "))
	}
	return nil
}

// stockMaster finds Debian's own master, also where another one has been put in
// its place with dpkg-divert.
func stockMaster() (string, error) {
	path := filepath.Join(debianDaemons, "master")
	if out, err := exec.Command("dpkg-divert", "--truename", path).Output(); err == nil {
		path = strings.TrimSpace(string(out))
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("cannot find Debian's master: %w", err)
	}
	return path, nil
}

// buildBrood builds the daemon the way that it is shipped.
func buildBrood(path string) error {
	cmd := exec.Command("go", "build", "-o", path, "github.com/brood-project/brood/cmd/broodd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build broodd: %w\n%s", err, out)
	}
	return nil
}

// fingerprint describes every file below a directory well enough to notice that
// somebody wrote to it.
func fingerprint(dir string) (string, error) {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&b, path, info.Mode(), info.Size(), info.ModTime())
		return nil
	})
	return b.String(), err
}

// under runs a test under Debian's master and under ours. Debian's is left out
// of all but the quick tests unless it is asked for, because it has shown once
// what it does and will not change.
func under(t *testing.T, test func(t *testing.T, master flavour), masters ...flavour) {
	t.Parallel()
	for _, master := range masters {
		t.Run(master.name, func(t *testing.T) { test(t, master) })
	}
}

// both are the masters of a quick test.
func both() []flavour { return []flavour{stock, brood} }

// mainlyBrood are the masters of a test that takes its time.
func mainlyBrood() []flavour {
	if os.Getenv("BROOD_E2E_STOCK") == "all" {
		return both()
	}
	return []flavour{brood}
}
