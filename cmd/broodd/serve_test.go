package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWithoutAConfiguration: the first file that there is, or none, which is
// an error and not a name that nobody has asked for.
func TestWithoutAConfiguration(t *testing.T) {
	dir := t.TempDir()
	before := configFiles
	defer func() { configFiles = before }()
	configFiles = []string{filepath.Join(dir, "first.toml"), filepath.Join(dir, "second.toml")}
	if path := configFile(); path != "" {
		t.Errorf("%s does not exist, and is taken", path)
	}
	if status := nativeMain([]string{"broodd"}); status != exitFailed {
		t.Errorf("without a configuration broodd ends with status %d", status)
	}
	if err := os.WriteFile(configFiles[1], nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if path := configFile(); path != configFiles[1] {
		t.Errorf("%q is taken, and not the second", path)
	}
}
