package main

import (
	"os"
	"testing"

	"github.com/brood-project/brood/internal/native"
)

// TestRuntimeOfEverybody: where everybody may write, anybody may put a socket of
// his own in the place of ours; a sticky directory keeps others from that.
func TestRuntimeOfEverybody(t *testing.T) {
	config := &native.Config{}
	config.Brood.Runtime = t.TempDir()
	d := &daemon{path: "brood.toml"}
	for mode, good := range map[os.FileMode]bool{0o755: true, 0o777: false, 0o777 | os.ModeSticky: true} {
		if err := os.Chmod(config.Brood.Runtime, mode); err != nil {
			t.Fatal(err)
		}
		if err := d.makeRuntime(config); (err == nil) != good {
			t.Errorf("%v: %v", mode, err)
		}
	}
}
