package masterd

import (
	"strings"
	"testing"
	"time"
)

func TestFlagsAreReadAsByGetopt(t *testing.T) {
	for line, want := range map[string]flags{
		"":                {},
		"-w":              {wait: true},
		"-dvv":            {attached: true, verbose: 2},
		"-v -c /etc/x -v": {verbose: 2, configDir: "/etc/x"},
		"-c/etc/x":        {configDir: "/etc/x"},
		"-wc /etc/x":      {wait: true, configDir: "/etc/x"},
		"-e 5":            {exitAfter: 5 * time.Second, exits: true},
		"-e0":             {exits: true},
		"-e 99999999999":  {exitAfter: exitMost * time.Second, exits: true},
		"-Dsi --":         {},
		"-s --":           {stdout: true},
		"-t":              {test: true},
	} {
		got, err := parseFlags(strings.Fields(line))
		if line == "-Dsi --" {
			if err == nil {
				t.Errorf("%q is taken", line)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", line, got, err, want)
		}
	}
}

// TestEmptyDirectoryIsRefused: it is not the system's.
func TestEmptyDirectoryIsRefused(t *testing.T) {
	if got, err := parseFlags([]string{"-c", ""}); err == nil {
		t.Errorf("-c \"\" is taken: %+v", got)
	}
}

func TestFlagsThatMeanNothingAreRefused(t *testing.T) {
	for _, line := range []string{
		"-x", "-c", "-e", "-e soon", "-e -1", "start", "-w start", "-- start", "-", "-tw", "-t -w", "-iD", "-id", "-iw",
	} {
		if got, err := parseFlags(strings.Fields(line)); err == nil {
			t.Errorf("%q is taken: %+v", line, got)
		}
	}
}
