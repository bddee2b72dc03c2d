package blackbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// master is a binary under test.
type master struct {
	name string // "stock" or "brood"
	path string
}

// ours tells brood's master from Postfix's, for the rows that differ on
// purpose.
func (m master) ours() bool { return m.name == "brood" }

const debianMaster = "/usr/lib/postfix/sbin/master"

// stockMaster finds Debian's own master, under whatever name a diversion moved
// it to.
func stockMaster(t *testing.T) master {
	t.Helper()
	path := os.Getenv("BLACKBOX_STOCK")
	if path == "" {
		path = debianMaster
		if out, err := exec.Command("dpkg-divert", "--truename", debianMaster).Output(); err == nil {
			path = strings.TrimSpace(string(out))
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("cannot find Postfix's master: %v (install postfix, or set BLACKBOX_STOCK)", err)
	}
	return master{"stock", path}
}

// broodMaster builds cmd/broodd once and gives it the name that makes it a
// master(8).
func broodMaster(t *testing.T) master {
	t.Helper()
	path := os.Getenv("BLACKBOX_BROOD")
	if path == "" {
		var err error
		if path, err = buildBrood(); err != nil {
			t.Fatalf("cannot build cmd/broodd, so there is no master of ours to test: %v", err)
		}
	}
	return master{"brood", path}
}

var buildDir string

var buildBrood = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "blackbox-build-")
	if err != nil {
		return "", err
	}
	buildDir = dir
	path := filepath.Join(dir, "master")
	build := exec.Command("go", "build", "-o", path, "github.com/brood-project/brood/cmd/broodd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

func removeBuilds() {
	if buildDir != "" {
		_ = os.RemoveAll(buildDir)
	}
}
