package native

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
	"pgregory.net/rapid"

	"github.com/brood-project/brood/internal/plan"
)

// manyServices is a file of n tables that use one template.
func manyServices(n int) string {
	var b strings.Builder
	b.WriteString("[template.base]\ncommand = [\"cat\", \"--name={name}\"]\nprotocol = \"systemd\"\nworkers = { spare = 1, max = 8 }\nenv = { A = \"1\", B = \"2\" }\nuser = \"www-data\"\n")
	for i := range n {
		fmt.Fprintf(&b, "[service.s%d]\ntemplate = \"base\"\nlisten = [\"tcp://127.0.0.1:%d\", \"unix:///run/s%d.sock?mode=0600\"]\n", i, 10000+i, i)
	}
	return b.String()
}

func instancesOf(n int) string {
	return fmt.Sprintf("[service.s]\ninstances = { from = 1, to = %d }\nlisten = [\"unix:///run/{instance}.sock\"]\ncommand = [\"cat\", \"{name}\"]\nprotocol = \"none\"\n", n)
}

// TestManyServices loads 5,000 services and is generous with the time: the
// benchmark tells the truth.
func TestManyServices(t *testing.T) {
	for name, text := range map[string]string{"tables": manyServices(5000), "instances": instancesOf(5000)} {
		start := time.Now()
		cfg, ds := Load("brood.toml", Options{machine(map[string]string{"brood.toml": text}, "")})
		if len(ds) > 0 || len(cfg.Services) != 5000 {
			t.Fatalf("%s: %d services, %v", name, len(cfg.Services), ds)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func BenchmarkLoad5000(b *testing.B) {
	for name, text := range map[string]string{"tables": manyServices(5000), "instances": instancesOf(5000)} {
		b.Run(name, func(b *testing.B) {
			sys := machine(map[string]string{"brood.toml": text}, "")
			b.ReportAllocs()
			for b.Loop() {
				if _, ds := Load("brood.toml", Options{sys}); len(ds) > 0 {
					b.Fatal(ds)
				}
			}
		})
	}
}

// TestBombs feeds what is meant to cost much, and sees it cost little and be
// refused with a word.
func TestBombs(t *testing.T) {
	service := "listen = [\"unix:///run/{instance}.sock\"]\ncommand = [\"cat\"]\nprotocol = \"none\"\n"
	long := strings.Repeat("x", 100_000)
	bombs := map[string]string{
		"nesting":        "a = " + strings.Repeat("[", 1<<20),
		"closed nesting": "a = " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"tables":         "[" + strings.Repeat("a.", 1<<19) + "a]",
		"syntax errors":  strings.Repeat("a = [\n", 1<<19),
		"strings":        strings.Repeat("a = \"\"\"\nb = \"\n", 1<<17),
		"unknown keys":   "[service.x]\n" + service + numberedLines("k%d = 1\n", 1<<16),
		"unknown tables": numberedLines("[service.s%d]\ntemplate = \"t\"\n", 1<<16),
		"too many":       instancesOf(10_001),
		"instances":      "[service.s]\ninstances = { from = 1, to = 10000 }\n" + service + "env = { A = \"" + long + "{name}\" }\n",
		"environments":   "[service.s]\ninstances = { from = 1, to = 10000 }\n" + service + "[service.s.env]\n" + numberedLines("V%d = \"value\"\n", 4000),
		"commands":       "[service.s]\ninstances = { from = 1, to = 10000 }\n" + strings.Replace(service, "\"cat\"", "\"cat\""+strings.Repeat(", \"{name}\"", 4000), 1),
		"a word":         "[service.s]\ninstances = [\"" + strings.Repeat("n", 64) + "\"]\n" + strings.Replace(service, "\"cat\"", "\"cat\", \""+strings.Repeat("{name}", 20_000)+"\"", 1),
		"descriptors":    "[service.s]\ninstances = { from = 1, to = 10000 }\n" + strings.Replace(service, "\"cat\"", "\"cat\", \""+strings.Repeat("{fd}", 30_000)+"\"", 1),
		"wrong places":   "[service.s]\ninstances = { from = 1, to = 10000 }\n" + strings.Replace(service, "\"cat\"", "\"cat\", \""+strings.Repeat("{fd:9}", 20_000)+"\"", 1),
		"large":          strings.Repeat("# remark\n", 1<<20),
		"near names":     numberedLines("[template.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%d]\n", 5000) + numberedLines("[service.s%d]\ntemplate = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"\n", 5000),
	}
	for name, text := range bombs {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, ds := Load("brood.toml", Options{machine(map[string]string{"brood.toml": text}, "")})
			var out bytes.Buffer
			if err := Render(&out, ds, Sources{"brood.toml": []byte(text)}); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if !ds.Failed() {
				t.Error("nothing is wrong with it")
			}
			if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 1024 {
				t.Errorf("allocated %d MB", mb)
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
			if len(ds) > diagnosticsMax+1 {
				t.Errorf("%d diagnostics", len(ds))
			}
		})
	}
}

func numberedLines(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestAgreesWithTOML has every file that loads be TOML for the reference
// decoder as well, and every key of it count.
func TestAgreesWithTOML(t *testing.T) {
	for _, name := range archives(t, "testdata/*/*.txtar", 40) {
		a, files, _ := archive(t, name)
		_, ds := Load("brood.toml", Options{machine(files, string(a.Comment))})
		var any map[string]any
		err := toml.Unmarshal([]byte(files["brood.toml"]), &any)
		if err != nil && !ds.Failed() {
			t.Errorf("%s loads, but it is no TOML: %v", name, err)
		}
	}
}

// TestPositions puts one mistake at a random place into a good file and finds
// it there.
func TestPositions(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		before := rapid.IntRange(0, 30).Draw(r, "lines before")
		indent := rapid.IntRange(0, 9).Draw(r, "indent")
		crlf := rapid.Bool().Draw(r, "crlf")
		text := "[service.x]\nlisten = [\"unix:///x\"]\ncommand = [\"cat\"]\nprotocol = \"none\"\n" +
			strings.Repeat("# ünïcödé\n", before) + strings.Repeat(" ", indent) + "idle = \"9 lives\"\n"
		if crlf {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		_, ds := Load("brood.toml", Options{machine(map[string]string{"brood.toml": text}, "")})
		want := plan.Pos{File: "brood.toml", Line: 5 + before, Col: 1 + indent + len("idle = ")}
		if len(ds) != 1 || ds[0].Pos != want || ds[0].Length != len(`"9 lives"`) {
			r.Fatalf("got %+v, want one at %v", ds, want)
		}
	})
}

func TestDurations(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(timeMax/time.Millisecond)).Draw(r, "ms")) * time.Millisecond
		back, err := parseDuration(formatDuration(d))
		if err != nil || back != d {
			r.Fatalf("%v is written %s and read %v, %v", d, formatDuration(d), back, err)
		}
	})
	for _, bad := range []string{"", "1", "s", "1.5s", "-1s", "1 s", "s1", "1x", "99999999999s", "366d", "365d1ms"} {
		if d, err := parseDuration(bad); err == nil {
			t.Errorf("%q is read as %v", bad, d)
		}
	}
}

func TestSizes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.Int64Range(0, 1<<62).Draw(r, "bytes")
		back, err := parseSize(formatSize(n))
		if err != nil || back != n {
			r.Fatalf("%d is written %s and read %d, %v", n, formatSize(n), back, err)
		}
	})
	for _, bad := range []string{"", "K", "1X", "1KK", "-1", "9999999999999T", "1.5G"} {
		if n, err := parseSize(bad); err == nil {
			t.Errorf("%q is read as %d", bad, n)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"idel", "idle", 1}, {"idle", "idle", 0}, {"kitten", "sitting", 3}, {"ab", "ba", 1}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// TestRenderIsSafe sees no control character of a source reach the terminal.
func TestRenderIsSafe(t *testing.T) {
	var out bytes.Buffer
	ds := plan.Diagnostics{{Severity: plan.Error, Pos: plan.Pos{File: "f", Line: 1, Col: 3}, What: "w", Length: 100}, {Severity: plan.Warning, What: "no place"}, {Pos: plan.Pos{File: "f", Line: 9, Col: 1}}}
	if err := Render(&out, ds, Sources{"f": []byte("a\x1b[31mb\x07\u202e\n")}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\x07\u202e") {
		t.Errorf("unsafe: %q", out.String())
	}
	if err := Render(failingWriter{}, ds, nil); err == nil {
		t.Error("a failed write is no error")
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

// TestMissingFile tells a main file that is not there, with its name.
func TestMissingFile(t *testing.T) {
	var out bytes.Buffer
	good, err := Check(&out, "none.toml", Options{machine(nil, "")})
	want := "none.toml: error: cannot read the file: file does not exist; brood init writes a first one\n"
	if good || err != nil || out.String() != want {
		t.Errorf("good = %v, err = %v, got %q, want %q", good, err, out.String(), want)
	}
}

// TestThisMachine loads a file from the disk and asks the real system.
func TestThisMachine(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("brood.toml", "include = [\"conf.d/*.toml\"]\n"+starter(t))
	write("conf.d/a.toml", "[service.a]\nlisten = [\"unix:///run/a.sock\"]\ncommand = [\"sh\"]\nprotocol = \"none\"\nuser = \"root\"\nenv_file = \"a.env\"\n")
	write("a.env", "X=1\n")
	sys := OS()
	sys.UID = 0
	cfg, ds := Load(filepath.Join(dir, "brood.toml"), Options{sys})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	a := cfg.Services[1]
	if !filepath.IsAbs(a.Program) || a.Account.UID != 0 || a.Account.Home == "" || variableOf(a.Env, "X") != "1" || a.Directory != dir {
		t.Errorf("service a is %+v", a)
	}
	write("conf.d/b.toml", "[service.b]\nlisten = [\"unix:///run/b.sock\"]\ncommand = [\"./nothing\"]\nprotocol = \"none\"\nuser = \"nobody-of-this-name\"\ndirectory = \"a.env\"\nenv_file = \"/dev/zero\"\n"+
		"[service.c]\nlisten = [\"unix:///run/c.sock\"]\ncommand = [\"./a.env\"]\nprotocol = \"none\"\n")
	_, ds = Load(filepath.Join(dir, "brood.toml"), Options{sys})
	if len(ds) != 5 || !strings.Contains(ds.Error(), "it is not executable") {
		t.Errorf("got %v, want five mistakes", ds)
	}
}

// TestNothingAsked loads with a System that only reads: no question is asked,
// none is answered wrongly.
func TestNothingAsked(t *testing.T) {
	full := machine(map[string]string{"brood.toml": "[service.x]\nlisten = [\"tcp://:80?name=a\", \"unix:///x?owner=nobody&group=none\"]\ncommand = [\"nowhere\"]\nprotocol = \"none\"\nuser = \"nobody\"\ngroup = \"none\"\ndirectory = \"/nowhere\"\n"}, "")
	cfg, ds := Load("brood.toml", Options{System{ReadFile: full.ReadFile, Glob: full.Glob, Dir: "/etc/brood"}})
	if len(ds) > 0 || cfg.Services[0].Program != "nowhere" {
		t.Errorf("%v", ds)
	}
}
