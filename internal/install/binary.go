package install

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// daemonPath is what the Go tool chain writes into our daemon's binary.
const daemonPath = "github.com/brood-project/brood/cmd/broodd"

// binary is what lies at a path where a master may be.
type binary struct {
	path   string
	exists bool
	brood  bool   // built from our daemon's source
	system string // GOOS/GOARCH that it was built for; "" when not known
	sum    [sha256.Size]byte
}

// inspect looks at a file without running it. That it does not exist is no
// error.
func inspect(path string) (binary, error) {
	b := binary{path: path}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return b, fmt.Errorf("cannot look at %s: %w", path, err)
	}
	defer f.Close()
	b.exists = true
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return b, fmt.Errorf("cannot read %s: %w", path, err)
	}
	h.Sum(b.sum[:0])
	info, err := buildinfo.Read(f)
	if err != nil {
		return b, nil // not made by Go, so not ours
	}
	b.brood = info.Path == daemonPath
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	b.system = settings["GOOS"] + "/" + settings["GOARCH"]
	return b, nil
}

// same tells whether two files have the same contents.
func (b binary) same(other binary) bool { return b.exists && other.exists && b.sum == other.sum }

// name is what the operator would call it.
func (b binary) name(ctx context.Context) string {
	switch {
	case !b.exists:
		return "none"
	case b.brood:
		return "brood " + b.version(ctx)
	default:
		return "Postfix's own"
	}
}

// version asks one of ours for its version.
func (b binary) version(ctx context.Context) string {
	cmd := exec.CommandContext(ctx, b.path, "--version")
	// Under the name of master it would be master(8).
	cmd.Args[0] = "broodd"
	out, err := cmd.Output()
	_, version, ok := bytes.Cut(bytes.TrimSpace(out), []byte(" "))
	if err != nil || !ok {
		return "(of unknown version)"
	}
	return string(version)
}

// fit refuses a binary that can't be our daemon on this machine.
func (b binary) fit() error {
	here := runtime.GOOS + "/" + runtime.GOARCH
	switch {
	case !b.exists:
		return refuse("there is no broodd at %s; build it with 'make build' or name it with --broodd", b.path)
	case !b.brood:
		return refuse("%s is not broodd; name the right file with --broodd", b.path)
	case b.system != here:
		return refuse("%s was built for %s and this machine is %s; build it here with 'make build'",
			b.path, strings.Trim(b.system, "/"), here)
	}
	return nil
}
