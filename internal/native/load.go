package native

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/brood-project/brood/internal/plan"
)

// Options are the surroundings of a Load.
type Options struct {
	// System is the machine that is asked; OS() for the one it runs on.
	System System
}

// Load reads brood.toml at path, with all that it includes, and returns what it
// asks for together with everything that is wrong. The Config is never nil; it
// must not be used when the diagnostics have Failed. A file that cannot be
// read is a diagnostic as well.
func Load(path string, opts Options) (*Config, plan.Diagnostics) {
	l := &loader{
		sys: opts.System,
		cfg: &Config{File: path, Sources: make(Sources)},
		dir: filepath.Dir(path),
	}
	if !filepath.IsAbs(l.dir) {
		l.dir = filepath.Join(l.sys.Dir, l.dir)
	}
	l.load(path)
	return l.cfg, l.report.sorted(l.files)
}

// Check loads the file and writes all that is wrong to w, as `brood check`
// does. It tells whether the file can be used; the error is the writer's.
func Check(w io.Writer, path string, opts Options) (bool, error) {
	cfg, ds := Load(path, opts)
	return !ds.Failed(), Render(w, ds, cfg.Sources)
}

// loader is one Load under way.
type loader struct {
	sys    System
	cfg    *Config
	report report
	dir    string   // of the main file, absolute
	files  []string // in the order of reading
	trees  []*node

	base      *settled // what every service begins with
	templates map[string]*template
	names     []string // of the templates
	ceilings  map[string]*Ceiling
	bound     bound
	found     map[string]error // programs and directories that were looked up
	users     map[string]userAnswer
	envFiles  map[string][]variable
	count     int // of services, instances included
	expanded  int // bytes that instances and environments added
}

func (l *loader) load(path string) {
	l.read(path, span{})
	if len(l.trees) == 0 {
		return
	}
	l.include(l.trees[0].field("include"))
	for i, tree := range l.trees {
		l.rootKeys(tree, i == 0)
	}
	l.brood(l.trees[0].field("brood"))
	l.eachNamed("ceiling", l.ceiling)
	l.eachNamed("template", l.template)
	l.eachNamed("service", l.service)
	l.checkTogether()
	if len(l.cfg.Services) == 0 && len(l.report.found) == 0 {
		l.report.errorf(span{l.trees[0].at.src, 0, 0}, "there is no service in this file").
			instead("write one below [service.NAME]; brood init shows how")
	}
}

// read parses one file; at is the place that named it.
func (l *loader) read(path string, at span) {
	if _, again := l.cfg.Sources[path]; again {
		return
	}
	data, err := l.sys.ReadFile(l.absolute(path))
	if err == nil && len(data) > fileBytesMax {
		err = fmt.Errorf("it is larger than %s", formatSize(fileBytesMax))
	}
	if err != nil {
		if at.src == nil {
			at.src = newSource(path, nil)
			l.report.found = append(l.report.found, plan.Diagnostic{
				Severity: plan.Error, Pos: plan.Pos{File: path},
				What: "cannot read the file: " + unwrapped(err).Error(), Instead: "brood init writes a first one",
			})
			return
		}
		l.report.errorf(at, "cannot read %s: %v", path, unwrapped(err)).instead("write the path of a file that exists, or a pattern such as \"conf.d/*.toml\"")
		return
	}
	l.files = append(l.files, path)
	l.cfg.Sources[path] = data
	l.trees = append(l.trees, parseTOML(newSource(path, data), &l.report))
}

// unwrapped is the reason alone, without the path that the message names.
func unwrapped(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func (l *loader) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.sys.Dir, path)
}

var includeKey = &key{
	name: "include", kind: kindList, example: `["conf.d/*.toml"]`,
	doc: "Further files, by path or by pattern, relative to the directory of brood.toml. Those of one pattern are read in alphabetical order. They hold services, templates and ceilings, and cannot include others.",
}

// include reads the files that the main one names.
func (l *loader) include(n *node) {
	if n == nil {
		return
	}
	v, _ := includeKey.decode(&l.report, n)
	for _, w := range v.words {
		path := w.text
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(l.cfg.File), path)
		}
		if filepath.Clean(path) == filepath.Clean(l.cfg.File) {
			l.report.errorf(w.at, "%s includes itself", l.cfg.File).instead("leave it out")
			continue
		}
		if !strings.ContainsAny(w.text, "*?[") {
			l.read(path, w.at)
			continue
		}
		matches, err := l.sys.Glob(l.absolute(path))
		if err != nil {
			l.report.errorf(w.at, "%s is no pattern: %v", quoted(w.text), err).instead("write one such as \"conf.d/*.toml\"")
		}
		sort.Strings(matches)
		for _, m := range matches {
			if len(l.files) >= filesMax {
				l.report.errorf(w.at, "more than %d files are included", filesMax).instead("join some of them")
				return
			}
			if rel, err := filepath.Rel(l.sys.Dir, m); err == nil && !filepath.IsAbs(l.cfg.File) {
				m = rel
			}
			l.read(m, w.at)
		}
	}
}

var rootNames = []string{"include", "brood", "service", "template", "ceiling"}

// rootKeys reports what stands outside of the tables that there are.
func (l *loader) rootKeys(tree *node, main bool) {
	for _, f := range tree.fields {
		switch {
		case f.kind == unstable.Invalid:
		case !main && (f.name == "include" || f.name == "brood"):
			l.report.errorf(f.key, "an included file cannot hold %s", quoted(f.name)).
				instead("write it in %s", l.cfg.File)
		case f.name == "include":
		case slices.Contains(rootNames, f.name):
			if f.kind != unstable.Table {
				l.report.errorf(f.key, "%s is a table", quoted(f.name)).instead("write %s", tableExample(f.name))
			}
		default:
			l.strayKey(f)
		}
	}
}

func tableExample(name string) string {
	if name == "brood" {
		return "[brood]"
	}
	return "[" + name + ".NAME]"
}

func (l *loader) strayKey(f *node) {
	head, _, _ := strings.Cut(f.name, ".")
	if f.kind != unstable.Table || serviceSchema().group[head] != nil {
		if serviceSchema().named[f.name] != nil || serviceSchema().group[head] != nil {
			l.report.errorf(f.key, "%s stands outside of any service", quoted(f.name)).
				instead("write it below the line [service.NAME]")
			return
		}
	}
	a := l.report.errorf(f.key, "there is no key or table %s", quoted(f.name))
	also := map[string]string{"services": "service", "pool": "service", "program": "service", "group": "ceiling", "defaults": "template", "global": "brood", "daemon": "brood", "includes": "include"}
	near := also[f.name]
	if near == "" {
		near = l.report.closest(f.name, rootNames)
	}
	switch {
	case near == "include":
		a.instead("write include = %s above the first table", includeKey.example)
	case near != "":
		a.instead("write %s", tableExample(near))
	case f.kind == unstable.Table:
		a.instead("a service is written [service.%s]", f.name)
	default:
		a.instead("keys belong below a table such as [service.NAME]")
	}
}

// eachNamed calls visit for every [table.NAME] of all files, and reports
// names that are not good or are there twice.
func (l *loader) eachNamed(table string, visit func(*node)) {
	first := make(map[string]span)
	for _, tree := range l.trees {
		named := tree.field(table)
		if named == nil || named.kind != unstable.Table {
			continue
		}
		for _, n := range named.fields {
			before, again := first[n.name]
			switch {
			case n.kind == unstable.Invalid:
				continue
			case n.kind != unstable.Table:
				l.report.errorf(n.key, "the %s has no name: %s stands right below [%s]", table, quoted(n.name), table).
					instead("write [%s.NAME] above it", table)
				continue
			case !goodName(n.name):
				l.report.errorf(n.key, "%s is no name for a %s", quoted(n.name), table).instead("write %s", nameRule)
			case again:
				l.report.errorf(n.key, "%s %s is already written at %s", table, n.name, before.pos()).
					instead("give one of the two another name")
				continue
			}
			first[n.name] = n.key
			visit(n)
		}
	}
}

// brood takes the [brood] table, and makes what every service begins with.
func (l *loader) brood(n *node) {
	base := &settled{service: &Service{}, fresh: &raw{}}
	own := draft{brood: &l.cfg.Brood}
	applyPresets(serviceSchema(), draft{service: base.service, fresh: base.fresh})
	applyPresets(broodSchema(), own)
	if l.cfg.Brood.Runtime == "" {
		l.cfg.Brood.Runtime = l.sys.Runtime
	}
	l.base = base
	defer l.control(&own)
	if n == nil || n.kind != unstable.Table {
		return
	}
	logTo := n.key
	for _, s := range decode(&l.report, broodSchema(), n) {
		if s.failed {
			continue
		}
		s.key.put(&own, s.value)
		if strings.HasPrefix(s.key.name, "log.") {
			s.key.put(&draft{service: base.service, fresh: base.fresh}, s.value)
		}
		switch text := s.value.text; s.key.name {
		case "runtime":
			if !filepath.IsAbs(text) {
				l.report.errorf(s.value.at, "runtime = %s is no absolute path", quoted(text)).instead("write one such as \"/run/brood\"")
			}
		case "control":
			if text != ControlOff && !filepath.IsAbs(text) {
				l.report.errorf(s.value.at, "control = %s is no absolute path", quoted(text)).instead("write one such as %s, or \"off\"", s.key.example)
			}
		case "log.to":
			logTo = s.value.at
		}
	}
	l.expandOwnLog(logTo)
}

// control completes what [brood] says of the operators' socket.
func (l *loader) control(own *draft) {
	if l.cfg.Brood.Control == "" {
		l.cfg.Brood.Control = filepath.Join(l.cfg.Brood.Runtime, ControlSocket)
	}
	for _, w := range own.operators {
		if l.sys.Group == nil {
			continue
		}
		gid, err := l.lookUpGroup(w.text)
		if err != nil {
			l.report.errorf(w.at, "cannot find the group %s: %v", quoted(w.text), err).instead("make it, or write one of getent group")
			continue
		}
		l.cfg.Brood.Operators = append(l.cfg.Brood.Operators, gid)
	}
}

// applyPresets puts the defaults of a schema, as they are written in it.
func applyPresets(s *schema, d draft) {
	for _, k := range s.keys {
		if k.preset == "" {
			continue
		}
		tree := parseTOML(newSource("", []byte("preset = "+k.preset)), &report{})
		var quiet report
		v, ok := k.decode(&quiet, tree.field("preset"))
		if !ok {
			panic("native: the default of " + k.name + " is not good: " + quiet.found.Error())
		}
		k.put(&d, v)
	}
}

func (l *loader) ceiling(n *node) {
	c := &Ceiling{Name: n.name, Pos: n.key.pos()}
	settings := decode(&l.report, ceilingSchema(), n)
	for _, s := range settings {
		if !s.failed {
			s.key.put(&draft{ceiling: c}, s.value)
		}
	}
	if len(n.fields) == 0 {
		l.report.errorf(n.key, "ceiling %s has no workers", n.name).instead("write workers = 2, or how many there may be")
	}
	if l.ceilings == nil {
		l.ceilings = make(map[string]*Ceiling)
	}
	l.ceilings[n.name] = c
	l.cfg.Ceilings = append(l.cfg.Ceilings, c)
	l.bound.ceiling(c, n)
}
