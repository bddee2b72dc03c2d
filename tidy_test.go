package brood

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the path that the import law is written below.
const module = "github.com/brood-project/brood/"

// mayImport is the import law: arrows go down, never sideways. A package that
// is not named here may not exist.
var mayImport = map[string][]string{
	"masterproto":           {},
	"worker":                {"masterproto"},
	"internal/pool":         {},
	"internal/plan":         {"internal/pool"},
	"internal/scoreboard":   {},
	"internal/sim":          {"internal/pool"},
	"internal/mastercf":     {"internal/plan", "internal/pool"},
	"internal/native":       {"internal/plan", "internal/pool"},
	"internal/listen":       {"internal/plan"},
	"internal/child":        {"masterproto", "internal/child/nofile"},
	"internal/child/nofile": {},
	"internal/maillog":      {},
	"internal/output":       {"internal/plan"},
	"internal/control":      {"internal/scoreboard"},
	"internal/web":          {"internal/scoreboard", "internal/control"},
	"internal/master": {
		"internal/child", "internal/listen", "internal/output", "internal/plan", "internal/pool",
		"internal/scoreboard", "masterproto",
	},
	// operator answers the control socket from what the master knows.
	"internal/operator": {"internal/control", "internal/master", "internal/plan", "internal/pool", "internal/scoreboard"},
	"internal/masterd": {
		"internal/child", "internal/control", "internal/maillog", "internal/master", "internal/mastercf", "internal/operator",
		"internal/plan",
	},
	"internal/demo":    {"internal/master", "internal/plan", "internal/pool", "worker", "masterproto", "internal/maillog"},
	"internal/inspect": {"internal/scoreboard"},
	"internal/install": {},
	"internal/await":   {},
	"internal/golden":  {},
	"internal/ports":   {},
}

// forTests are the packages that tests alone may import.
var forTests = []string{"internal/await", "internal/golden", "internal/ports", "internal/sim"}

// maySleep are the tests that look again and again by themselves. All others wait
// for an event or, where there is none, by internal/await.
var maySleep = map[string]bool{
	"e2e/blackbox/harness_daemon_test.go": true, // a fake daemon has no test that could fail
}

// mayWireAll are the packages that put the others together.
var mayWireAll = []string{"cmd/", "e2e/", "examples/", "bench/"}

// pure are the packages that hold policy and know no system.
var pure = []string{"internal/pool", "internal/plan", "internal/scoreboard"}

// impure is what they may not import.
var impure = []string{"os", "os/exec", "net", "syscall", "log", "log/slog", "time", "golang.org/x/sys/unix", "math/rand", "math/rand/v2"}

// functionLinesMost and fileLinesMost are where a reader loses the thread.
const (
	functionLinesMost = 70
	fileLinesMost     = 500
)

// longByDesign are functions that are one table or one flat list of cases.
var longByDesign = map[string]bool{}

type source struct {
	path string // relative to the module
	file *ast.File
	set  *token.FileSet
}

// sources parses every Go file of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		all = append(all, source{filepath.ToSlash(path), file, set})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func isTest(s source) bool { return strings.HasSuffix(s.path, "_test.go") }

func packageOf(s source) string { return filepath.ToSlash(filepath.Dir(s.path)) }

func importsOf(s source) []string {
	var paths []string
	for _, i := range s.file.Imports {
		paths = append(paths, strings.Trim(i.Path.Value, `"`))
	}
	return paths
}

func TestImportLaw(t *testing.T) {
	for _, s := range sources(t) {
		pkg := packageOf(s)
		if isTest(s) || pkg == "." || slices.ContainsFunc(mayWireAll, func(p string) bool { return strings.HasPrefix(pkg+"/", p) }) {
			continue
		}
		allowed, named := mayImport[pkg]
		if !named {
			t.Errorf("%s: package %s is not in the import law", s.path, pkg)
			continue
		}
		for _, path := range importsOf(s) {
			ours, found := strings.CutPrefix(path, module)
			if found && !slices.Contains(allowed, ours) {
				t.Errorf("%s: %s may not import %s", s.path, pkg, ours)
			}
		}
	}
}

// TestSupportIsLinkedNowhere: what is there for tests is in no program, not even
// by way of a package that may wire all.
func TestSupportIsLinkedNowhere(t *testing.T) {
	for _, s := range sources(t) {
		for _, path := range importsOf(s) {
			if ours, _ := strings.CutPrefix(path, module); !isTest(s) && slices.Contains(forTests, ours) {
				t.Errorf("%s: %s is for tests alone", s.path, ours)
			}
		}
	}
}

func TestTestsDoNotSleep(t *testing.T) {
	for _, s := range sources(t) {
		if !isTest(s) || maySleep[s.path] {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok && call.Sel.Name == "Sleep" && fmt.Sprint(call.X) == "time" {
				t.Errorf("%s: a test sleeps; wait for an event, or by internal/await", s.set.Position(n.Pos()))
			}
			return true
		})
	}
}

func TestPureCore(t *testing.T) {
	for _, s := range sources(t) {
		if isTest(s) || !slices.Contains(pure, packageOf(s)) {
			continue
		}
		for _, path := range importsOf(s) {
			if slices.Contains(impure, path) {
				t.Errorf("%s: a pure package imports %s", s.path, path)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.GoStmt, *ast.ChanType, *ast.SelectStmt, *ast.SendStmt:
				t.Errorf("%s: a pure package uses goroutines or channels", s.set.Position(n.Pos()))
			}
			return true
		})
	}
}

func TestSizes(t *testing.T) {
	for _, s := range sources(t) {
		if lines := s.set.File(s.file.Pos()).LineCount(); lines > fileLinesMost {
			t.Errorf("%s: %d lines; a reader holds %d in the head", s.path, lines, fileLinesMost)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := fmt.Sprintf("%s:%s", s.path, f.Name.Name)
			lines := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1
			if lines > functionLinesMost && !longByDesign[name] {
				t.Errorf("%s: %d lines; a reader holds %d in the head", name, lines, functionLinesMost)
			}
		}
	}
}

func TestNamesAndComments(t *testing.T) {
	vague := []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base"}
	documented := map[string]bool{}
	for _, s := range sources(t) {
		pkg := packageOf(s)
		if slices.Contains(vague, filepath.Base(pkg)) {
			t.Errorf("%s: the package's name says nothing", s.path)
		}
		if !isTest(s) {
			documented[pkg] = documented[pkg] || s.file.Doc != nil
		}
		for _, group := range s.file.Comments {
			for _, mark := range []string{"TODO", "FIXME", "XXX"} {
				if strings.Contains(group.Text(), mark) {
					t.Errorf("%s: unfinished mark %s", s.set.Position(group.Pos()), mark)
				}
			}
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("%s: no package comment", pkg)
		}
	}
}

// TestDaemonDependencies holds what the root process links against the list
// that was agreed on. What is missing from the list is looked at before it is
// let in.
func TestDaemonDependencies(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./cmd/broodd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile("testdata/broodd-dependencies.txt")
	if err != nil {
		t.Fatal(err)
	}
	allowed := strings.Fields(string(list))
	for _, dep := range strings.Fields(string(out)) {
		root, _, _ := strings.Cut(dep, "/")
		standard := !strings.Contains(root, ".")
		switch {
		case strings.HasPrefix(dep, module), dep == strings.TrimSuffix(module, "/"):
		case standard && (dep == "net/http" || strings.HasPrefix(dep, "net/http/") || dep == "crypto/tls"):
			t.Errorf("broodd links %s", dep)
		case standard && (strings.Contains(dep, "internal/") || strings.HasPrefix(dep, "vendor/")):
		case !slices.Contains(allowed, dep):
			t.Errorf("broodd links %s, which testdata/broodd-dependencies.txt does not allow", dep)
		}
	}
}
