package native

import (
	"strings"
	"testing"
)

// everywhere is a system on which all that a file names exists, and whose user
// may do all.
func everywhere(file string) System {
	s := machine(map[string]string{"brood.toml": file, "/etc/default/app": "APP_ENV=prod\n"}, "")
	s.Executable = func(string) error { return nil }
	s.Directory = func(string) error { return nil }
	s.User = func(name string) (User, error) { return User{Name: name, UID: 33, GID: 33, Home: "/"}, nil }
	s.Group = func(string) (int, error) { return 33, nil }
	return s
}

// TestSitesAreGood loads each whole file of the manual.
func TestSitesAreGood(t *testing.T) {
	for _, s := range sites {
		cfg, ds := Load("brood.toml", Options{everywhere(s.toml)})
		if len(ds) > 0 {
			t.Errorf("%s: %v", s.title, ds)
		}
		if len(cfg.Services) < 2 {
			t.Errorf("%s: %d services", s.title, len(cfg.Services))
		}
	}
}

// TestSystemdNamesAreOurs has the right column of the comparison name keys that
// there are.
func TestSystemdNamesAreOurs(t *testing.T) {
	known := make(map[string]bool)
	for _, k := range serviceSchema().keys {
		known[k.name] = true
		if table, _, ok := strings.Cut(k.name, "."); ok {
			known[table] = true
		}
	}
	for _, k := range broodKeys() {
		known["brood."+k.name] = true
	}
	for _, p := range params {
		known[p.name] = true
	}
	for _, n := range systemdNames {
		words := strings.Split(n.ours, "`")
		for i := 1; i < len(words); i += 2 {
			name, _, _ := strings.Cut(words[i], " ")
			if !known[name] && !strings.ContainsAny(name, "[{%") && name != "brood" {
				t.Errorf("%s: there is no key %s", n.theirs, name)
			}
		}
	}
}
