package brood

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	pageLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	fence    = regexp.MustCompile("(?ms)^```.*?^```$")
	notInID  = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
)

// pages are the texts for readers, without their blocks of code, by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all[path] = fence.ReplaceAllString(string(text), "")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// anchors are the names by which a page's headings are linked to.
func anchors(page string) map[string]bool {
	all := make(map[string]bool)
	for _, h := range heading.FindAllStringSubmatch(page, -1) {
		id := notInID.ReplaceAllString(strings.ToLower(strings.TrimSpace(h[1])), "")
		all[strings.ReplaceAll(id, " ", "-")] = true
	}
	return all
}

// TestLinks has every link of every page lead somewhere.
func TestLinks(t *testing.T) {
	all := pages(t)
	for path, text := range all {
		for _, m := range pageLink.FindAllStringSubmatch(text, -1) {
			link := m[1]
			if strings.Contains(link, "://") {
				continue
			}
			file, anchor, hasAnchor := strings.Cut(link, "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link %s leads nowhere", path, link)
				continue
			}
			if hasAnchor && !anchors(all[target])[anchor] {
				t.Errorf("%s: the link %s leads to no heading", path, link)
			}
		}
	}
}

// TestDesignPages has the index name every page of the design.
func TestDesignPages(t *testing.T) {
	index, err := os.ReadFile("docs/design/README.md")
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob("docs/design/[0-9]*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if !strings.Contains(string(index), "("+filepath.Base(path)+")") {
			t.Errorf("docs/design/README.md does not name %s", path)
		}
	}
}

// TestMapIsComplete has ARCHITECTURE.md name every package, or the folder that
// it is below.
func TestMapIsComplete(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources(t) {
		pkg := packageOf(s)
		named := pkg == "."
		for p := pkg; p != "." && !named; p = filepath.Dir(p) {
			named = strings.Contains(string(text), "`"+p+"`")
		}
		if !named {
			t.Errorf("ARCHITECTURE.md does not name %s", pkg)
		}
	}
}
