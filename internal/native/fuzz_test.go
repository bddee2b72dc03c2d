package native

import (
	"bytes"
	"path/filepath"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/brood-project/brood/internal/plan"
)

// FuzzLoad loads any text as brood.toml, beside any text as an environment
// file. Nothing panics; all that is told has a place in a file and says what to
// write; what loads is TOML, and loads the same again.
func FuzzLoad(f *testing.F) {
	names, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(names) < 40 {
		f.Fatalf("%d archives: %v", len(names), err)
	}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(a.Files[0].Data, a.Files[len(a.Files)-1].Data)
	}
	var first bytes.Buffer
	if err := WriteStarter(&first); err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.ReplaceAll(first.Bytes(), []byte("#?"), nil), []byte("A=1\n"))
	f.Fuzz(func(t *testing.T, text, env []byte) {
		files := map[string]string{"brood.toml": string(text), "web.env": string(env), "conf.d/a.toml": string(env)}
		for _, words := range []string{"", "user"} {
			options := Options{machine(files, words)}
			cfg, ds := Load("brood.toml", options)
			checkDiagnostics(t, cfg, ds)
			checkConfig(t, cfg, ds)
			again, more := Load("brood.toml", options)
			if !reflect.DeepEqual(ds, more) || !ds.Failed() && dump(cfg) != dump(again) {
				t.Errorf("loaded twice, and not the same:\n%s", cmp.Diff(ds, more))
			}
		}
	})
}

func checkDiagnostics(t *testing.T, cfg *Config, ds plan.Diagnostics) {
	t.Helper()
	for _, d := range ds {
		if d.What == "" || d.Instead == "" || d.Pos.File == "" {
			t.Errorf("incomplete: %+v", d)
		}
		data, known := cfg.Sources[d.Pos.File]
		if !known {
			t.Errorf("of no file that was read: %+v", d)
		}
		if d.Pos.Line == 0 {
			continue
		}
		line, ok := sourceLine(data, d.Pos.Line)
		if !ok || d.Pos.Col < 1 || d.Pos.Col > len(line)+2 {
			t.Errorf("no such place: %+v", d)
		}
	}
	var out bytes.Buffer
	if err := Render(&out, ds, cfg.Sources); err != nil || !utf8.Valid(out.Bytes()) {
		t.Errorf("rendered %q, %v", out.String(), err)
	}
}

func checkConfig(t *testing.T, cfg *Config, ds plan.Diagnostics) {
	t.Helper()
	if ds.Failed() {
		return
	}
	var tree map[string]any
	if err := toml.Unmarshal(cfg.Sources["brood.toml"], &tree); err != nil {
		t.Errorf("loads, but it is no TOML: %v", err)
	}
	names := make(map[string]bool)
	for _, s := range cfg.Services {
		if names[s.Name] || len(s.Listen) == 0 || len(s.Command) == 0 || s.Program == "" || s.Protocol == 0 {
			t.Errorf("not sound: %+v", s)
		}
		names[s.Name] = true
		w := s.Workers
		if w.Min > w.Max || w.Spare > w.Max || w.Max < 1 || s.Backoff.First > s.Backoff.Max || s.Stop.Signal == 0 {
			t.Errorf("not sound: %+v", s)
		}
	}
}
