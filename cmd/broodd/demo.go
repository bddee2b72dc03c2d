package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/brood-project/brood/internal/child"
	"github.com/brood-project/brood/internal/demo"
)

// serveDemo serves the built-in demonstration until a signal ends it.
func serveDemo(dir string) error {
	if err := child.Reserve(); err != nil {
		return fmt.Errorf("cannot reserve descriptors: %w", err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("cannot find %s: %w", dir, err)
	}
	program, err := brood()
	if err != nil {
		return err
	}
	return demo.Serve(demo.Options{Dir: dir, Program: program, Version: version})
}

// brood is the operator's command, which lies beside the daemon. It has the
// demonstration's worker in it, so that the daemon need not.
func brood() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot find this program: %w", err)
	}
	path := filepath.Join(filepath.Dir(self), "brood")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("cannot find the brood command beside broodd: %w", err)
	}
	return path, nil
}
