package native

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/brood-project/brood/internal/plan"
)

var rewrite = flag.Bool("rewrite", false, "write golden files and docs/config.md anew")

// machine is a System made of the files of an archive. The words of the
// archive's comment change it: "user" makes brood run without root.
func machine(files map[string]string, words string) System {
	programs := []string{"/usr/bin/gunicorn", "/usr/bin/python3", "/usr/bin/node", "/usr/bin/php-cgi", "/bin/cat", "/bin/sh", "/srv/web/run", "/etc/brood/worker"}
	directories := []string{"/etc/brood", "/srv/web", "/srv/a", "/srv/b", "/"}
	s := System{
		ReadFile: func(name string) ([]byte, error) {
			text, ok := files[strings.TrimPrefix(name, "/etc/brood/")]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return []byte(text), nil
		},
		Glob: func(pattern string) ([]string, error) {
			var found []string
			for name := range files {
				ok, err := path.Match(pattern, "/etc/brood/"+name)
				if err != nil {
					return nil, err
				}
				if ok {
					found = append(found, "/etc/brood/"+name)
				}
			}
			return found, nil
		},
		Executable: func(name string) error {
			if !slices.Contains(programs, name) {
				return fs.ErrNotExist
			}
			return nil
		},
		Directory: func(name string) error {
			if !slices.Contains(directories, name) {
				return fs.ErrNotExist
			}
			return nil
		},
		User:  machineUser,
		Group: machineGroup,
		Getenv: func(name string) (string, bool) {
			text, ok := map[string]string{"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "SECRET": "s"}[name]
			return text, ok
		},
		Appendable: func(name string) error {
			switch path.Dir(name) {
			case "/", "/var/log", "/run/brood":
				return nil
			case "/var/log/private":
				return fs.ErrPermission
			}
			return fs.ErrNotExist
		},
		LimitMost: func(resource int) uint64 {
			if resource == 7 {
				return 1 << 20
			}
			return Unlimited
		},
		Dir:     "/etc/brood",
		Runtime: "/run/brood",
	}
	s.FreePort = 1024
	if slices.Contains(strings.Fields(words), "user") {
		s.LimitMost = func(int) uint64 { return 4096 }
		s.UID, s.GID, s.Groups, s.Runtime = 1000, 1000, []int{1000}, "/run/user/1000/brood"
	}
	return s
}

func machineUser(name string) (User, error) {
	switch name {
	case "www-data", "33":
		return User{"www-data", 33, 33, []int{33, 100}, "/var/www", "/usr/sbin/nologin"}, nil
	case "root":
		return User{"root", 0, 0, []int{0}, "/root", "/bin/bash"}, nil
	case "eva":
		return User{"eva", 1000, 1000, []int{1000}, "/home/eva", "/bin/bash"}, nil
	}
	return User{}, errors.New("there is none of this name")
}

func machineGroup(name string) (int, error) {
	gid, ok := map[string]int{"www-data": 33, "ssl-cert": 100, "adm": 4, "eva": 1000}[name]
	if !ok {
		return 0, errors.New("there is none of this name")
	}
	return gid, nil
}

// archive is one golden test: files, the last of which is what is wanted.
func archive(t *testing.T, name string) (*txtar.Archive, map[string]string, string) {
	t.Helper()
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	files, want := make(map[string]string), ""
	for _, f := range a.Files {
		if f.Name == "want" {
			want = string(f.Data)
			continue
		}
		files[f.Name] = string(f.Data)
	}
	return a, files, want
}

func golden(t *testing.T, name string, a *txtar.Archive, want, got string) {
	t.Helper()
	if *rewrite {
		a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" })
		a.Files = append(a.Files, txtar.File{Name: "want", Data: []byte(got)})
		if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func archives(t *testing.T, pattern string, atLeast int) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) < atLeast {
		t.Fatalf("%d files match %s, want %d at least (%v)", len(names), pattern, atLeast, err)
	}
	return names
}

// TestWrong shows each wrong file beside what the operator is told about it.
func TestWrong(t *testing.T) {
	for _, name := range archives(t, "testdata/wrong/*.txtar", 30) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			a, files, want := archive(t, name)
			var out bytes.Buffer
			good, err := Check(&out, "brood.toml", Options{machine(files, string(a.Comment))})
			if err != nil {
				t.Fatal(err)
			}
			if warned := strings.Contains(string(a.Comment), "warning"); good != warned {
				t.Errorf("usable = %v, want %v\n%s", good, warned, out.String())
			}
			golden(t, name, a, want, out.String())
		})
	}
}

// TestEveryMistakeIsComplete holds each diagnostic of the wrong files to the
// form: a place, a length, lower case, and what to write instead.
func TestEveryMistakeIsComplete(t *testing.T) {
	for _, name := range archives(t, "testdata/wrong/*.txtar", 30) {
		a, files, _ := archive(t, name)
		_, ds := Load("brood.toml", Options{machine(files, string(a.Comment))})
		for _, d := range ds {
			if d.Pos.File == "" || d.What == "" || d.Instead == "" || strings.HasSuffix(d.Instead, ".") && !strings.HasSuffix(d.Instead, "..") {
				t.Errorf("%s: incomplete: %s", name, d)
			}
			if d.Pos.Line > 0 && d.Length == 0 && d.What != "there is no service in this file" {
				t.Errorf("%s: no length: %s", name, d)
			}
		}
	}
}

// TestGood shows each good file beside what it means.
func TestGood(t *testing.T) {
	for _, name := range archives(t, "testdata/good/*.txtar", 10) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			a, files, want := archive(t, name)
			cfg, ds := Load("brood.toml", Options{machine(files, string(a.Comment))})
			if len(ds) > 0 {
				t.Errorf("diagnostics of a good file:\n%v", ds)
			}
			golden(t, name, a, want, dump(cfg))
		})
	}
}

// plain is a service that sets nothing but what it must; dump leaves out what
// is as there.
func plain() *Config {
	files := map[string]string{"brood.toml": "[service.x]\nlisten = [\"unix:///x\"]\ncommand = [\"/bin/cat\"]\nprotocol = \"none\"\n"}
	cfg, _ := Load("brood.toml", Options{machine(files, "")})
	cfg.Services[0].Listen, cfg.Services[0].Protocol = nil, 0
	return cfg
}

func dump(cfg *Config) string {
	var b strings.Builder
	base := plain()
	b.WriteString("[brood]\n")
	dumpFields(&b, "", reflect.ValueOf(cfg.Brood), reflect.ValueOf(base.Brood))
	for _, c := range cfg.Ceilings {
		fmt.Fprintf(&b, "[ceiling.%s] %s\n  Workers = %d\n", c.Name, c.Pos, c.Workers)
	}
	for _, s := range cfg.Services {
		fmt.Fprintf(&b, "[service.%s] %s\n", s.Name, s.Pos)
		base.Services[0].Name, base.Services[0].Pos = s.Name, s.Pos
		dumpFields(&b, "", reflect.ValueOf(*s), reflect.ValueOf(*base.Services[0]))
	}
	return b.String()
}

// dumpListen is an address in words; what it does not have is left out.
func dumpListen(l Listen) string {
	e := l.Endpoint
	words := []string{schemes[e.Network-1].name}
	if e.Path == "" {
		words = append(words, fmt.Sprintf("addr=%q port=%d", e.Addr, e.Port))
	} else {
		words = append(words, fmt.Sprintf("path=%q", e.Path))
	}
	if e.Mode != 0 {
		words = append(words, fmt.Sprintf("mode=%04o", e.Mode))
	}
	if e.UID != -1 || e.GID != -1 {
		words = append(words, fmt.Sprintf("uid=%d gid=%d", e.UID, e.GID))
	}
	if e.Backlog != 0 {
		words = append(words, fmt.Sprintf("backlog=%d", e.Backlog))
	}
	if e.V6Only {
		words = append(words, "v6only")
	}
	if l.Name != "" {
		words = append(words, "name="+l.Name)
	}
	return strings.Join(words, " ")
}

func dumpFields(b *strings.Builder, prefix string, v, base reflect.Value) {
	for i := range v.NumField() {
		f, was := v.Field(i), base.Field(i)
		name := prefix + v.Type().Field(i).Name
		switch {
		case reflect.DeepEqual(f.Interface(), was.Interface()):
		case name == "Protocol":
			fmt.Fprintf(b, "  Protocol = %s\n", protocolName(f.Interface().(plan.Protocol)))
		case name == "Listen":
			for _, l := range f.Interface().([]Listen) {
				fmt.Fprintf(b, "  Listen %s %s\n", l.Pos, dumpListen(l))
			}
		case f.Kind() == reflect.Struct:
			dumpFields(b, name+".", f, was)
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.String:
			fmt.Fprintf(b, "  %s = %q\n", name, f.Interface())
		case f.Kind() == reflect.String:
			fmt.Fprintf(b, "  %s = %q\n", name, f.Interface())
		default:
			fmt.Fprintf(b, "  %s = %+v\n", name, f.Interface())
		}
	}
}
