package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/brood-project/brood/internal/await"
)

// The environment that tells the test binary to be one script's world.
const (
	insideBin    = "BROOD_TEST_BIN"
	insideScript = "BROOD_TEST_SCRIPT"
	insideDir    = "BROOD_TEST_DIR"
)

// private are the places that an exchange of the master changes. A script finds
// copies there, and the machine's own are out of its reach.
var private = []string{"/usr/lib/postfix/sbin", "/etc/postfix", "/var/spool/postfix", "/var/lib/postfix", "/var/lib/dpkg"}

// dpkgInfo is the largest part of what dpkg knows.
const dpkgInfo = "/var/lib/dpkg/info"

// TestPostfixScripts runs the scripts that exchange a real Postfix's master,
// with the real dpkg-divert and the real paths, each in namespaces of its own:
// mounts, processes and network. It needs root and Postfix, as make test-deps
// installs it. Inside one of these worlds it is the one script.
func TestPostfixScripts(t *testing.T) {
	if script := os.Getenv(insideScript); script != "" {
		part(t, os.Getenv(insideDir))
		testscript.Run(t, params(script))
		return
	}
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	t.Parallel()
	noteSources(t)
	scripts, err := filepath.Glob("testdata/script/postfix/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			t.Parallel()
			inside := exec.Command("/proc/self/exe", "-test.run=^TestPostfixScripts$", "-test.v", fmt.Sprint("-test.timeout=", 5*await.Patience))
			inside.Env = append(os.Environ(), insideBin+"="+bin, insideScript+"="+script, insideDir+"="+t.TempDir())
			inside.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
				Pdeathsig:  syscall.SIGKILL,
			}
			if out, err := inside.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// part makes the world private. Nothing of it is seen outside, and it ends with
// this process.
func part(t *testing.T, dir string) {
	t.Helper()
	must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	must(t, syscall.Mount("proc", "/proc", "proc", 0, ""))
	must(t, os.Chmod(dir, 0o755))
	// What dpkg knows of each package is much, and hardly ever changed: the
	// script that does makes a copy of its own.
	info := filepath.Join(dir, "info")
	must(t, os.Mkdir(info, 0o755))
	must(t, syscall.Mount(dpkgInfo, info, "", syscall.MS_BIND, ""))
	must(t, syscall.Mount("tmpfs", dpkgInfo, "tmpfs", 0, ""))
	for i, path := range private {
		twin := filepath.Join(dir, fmt.Sprint(i))
		command(t, "cp", "-a", path, twin)
		must(t, syscall.Mount(twin, path, "", syscall.MS_BIND, ""))
	}
	must(t, syscall.Mount(info, dpkgInfo, "", syscall.MS_BIND, ""))
	must(t, syscall.Mount("", dpkgInfo, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	must(t, syscall.Mount("tmpfs", "/run", "tmpfs", 0, ""))
	command(t, "ip", "link", "set", "lo", "up")
	// The machine's own master may be diverted already; here it never was.
	if _, err := os.Stat("/usr/lib/postfix/sbin/master.distrib"); err == nil {
		command(t, "dpkg-divert", "--local", "--rename", "--remove", "/usr/lib/postfix/sbin/master")
	}
	command(t, "postconf", "-e", "maillog_file=/var/log/brood-test.log", "maillog_file_prefixes=/var", "inet_interfaces=loopback-only",
		"inet_protocols=ipv4", "myhostname=brood.test", "mydestination=local.test")
	must(t, syscall.Mount("tmpfs", "/var/log", "tmpfs", 0, ""))
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
