package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// recipe is a pool as README.md shows it.
type recipe struct {
	toml    string
	files   map[string]string
	command string // of the first client
	want    string // what it is told
}

var (
	section = regexp.MustCompile(`(?m)^### (\w+)$`)
	block   = regexp.MustCompile("(?s)(?:^|\n)(?:`([\\w.]+)`[^\n]*\n\n)?```(\\w+)\n(.*?)```\n")
)

// recipes takes the pools in six lines out of README.md, by language.
func recipes(t *testing.T) map[string]recipe {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]recipe)
	_, page, _ := strings.Cut(string(text), "\n## A pool in six lines\n")
	page, _, _ = strings.Cut(page, "\n## ")
	heads := section.FindAllStringSubmatchIndex(page, -1)
	for i, head := range heads {
		end := len(page)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		r := recipe{files: make(map[string]string)}
		for _, b := range block.FindAllStringSubmatch(page[head[1]:end], -1) {
			switch name, language, body := b[1], b[2], b[3]; {
			case language == "toml":
				r.toml = body
			case language == "console":
				r.console(t, body)
			default:
				r.files[name] = body
			}
		}
		if r.toml != "" {
			all[page[head[2]:head[3]]] = r
		}
	}
	return all
}

// console takes the last command and what it prints.
func (r *recipe) console(t *testing.T, body string) {
	t.Helper()
	daemon, rest, _ := strings.Cut(body, "\n")
	command, want, _ := strings.Cut(rest, "\n")
	if daemon != "$ broodd &" || !strings.HasPrefix(command, "$ ") {
		t.Errorf("cannot make sense of %q", body)
	}
	r.command, r.want = command[2:], want
}

// TestReadme has each pool of README.md serve its first client as the page says.
func TestReadme(t *testing.T) {
	t.Parallel()
	all := recipes(t)
	if len(all) < 3 {
		t.Errorf("README.md has %d pools, want one in each of three languages", len(all))
	}
	for language, r := range all {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			if n := strings.Count(r.toml, "\n"); n > 6 {
				t.Errorf("%d lines are not six:\n%s", n, r.toml)
			}
			if len(r.files) != 1 {
				t.Fatalf("there are the files %v, want one", r.files)
			}
			dir := t.TempDir()
			for name, text := range r.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			d := start(t, dir, r.toml)
			cmd := exec.Command("timeout", "60", "sh", "-c", written.ReplaceAllString(r.command, d.address))
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if got := strings.ReplaceAll(string(out), "\r", ""); err != nil || got != r.want {
				t.Errorf("%s\nprints %q, %v, want %q; the log:\n%s", r.command, got, err, r.want, d.said())
			}
			if n := len(d.workers()); n == 0 {
				t.Error("nobody lives after the first client")
			}
			d.counted(0)
		})
	}
}

// TestShortestWorker has the Perl worker of docs/worker.md serve in a pool of
// brood.toml, as it stands there.
func TestShortestWorker(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/worker.md")
	if err != nil {
		t.Fatal(err)
	}
	_, worker, _ := strings.Cut(string(text), "\n```perl\n")
	worker, _, found := strings.Cut(worker, "```\n")
	if !found {
		t.Fatal("docs/worker.md has no worker in Perl")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hello"), []byte(worker), 0o755); err != nil {
		t.Fatal(err)
	}
	d := start(t, dir, `
[service.hello]
listen = ["tcp://127.0.0.1:7000"]
command = ["perl", "hello"]
protocol = "postfix"
idle = "60s"
`)
	for range 3 {
		if line, err := d.connect().answers.ReadString('\n'); err != nil || line != "hello\n" {
			t.Errorf("a client got %q, %v; the log:\n%s", line, err, d.said())
		}
	}
	d.counted(0)
}
