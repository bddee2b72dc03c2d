package native

import (
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/plan"
)

// template is a [template.NAME] with its settings decoded once, however many
// services use it.
type template struct {
	name     string
	node     *node
	settings []setting
	used     bool
}

// settled is a service before its placeholders are expanded.
type settled struct {
	service *Service
	fresh   *raw
}

// layered is a service's own settings over those of its template.
type layered struct {
	node *node
	own  []setting
	base []setting
}

// find is the setting of a key that counts, nil when it was not made.
func (l *layered) find(name string) *setting {
	for _, settings := range [][]setting{l.own, l.base} {
		for i := range settings {
			if settings[i].key.name == name {
				return &settings[i]
			}
		}
	}
	return nil
}

// at is where a key is set; where it is not, the name of the service.
func (l *layered) at(name string) span {
	if s := l.find(name); s != nil {
		return s.value.at
	}
	return l.node.key
}

func (l *loader) template(n *node) {
	t := &template{name: n.name, node: n, settings: decode(&l.report, templateSchema(), n)}
	if l.templates == nil {
		l.templates = make(map[string]*template)
	}
	l.templates[n.name] = t
	l.names = append(l.names, n.name)
}

// service takes one [service.NAME] table: decodes it, lays it over its
// template, checks what does not depend on the instance, and makes the
// instances.
func (l *loader) service(n *node) {
	set := layered{node: n, own: decode(&l.report, serviceSchema(), n)}
	if t := l.templateOf(set); t != nil {
		set.base = t.settings
	}
	s := l.settle(set)
	l.required(set)
	if a := set.find("listen"); a != nil && !a.failed && len(s.fresh.listen) == 0 {
		l.report.errorf(a.value.at, "listen is empty, so no client could ever come").instead("write listen = %s", a.key.shown())
	}
	l.checkSettings(set, s)
	l.checkCeilings(s)

	instances := s.fresh.instances
	if instances == nil {
		instances = []word{{}}
	}
	l.count += len(instances)
	if l.count > servicesMax {
		l.report.errorf(n.key, "with this one there are more than %d services", servicesMax).instead("split them over several broods")
		return
	}
	l.checkInstanceNamed(set, s)
	for _, instance := range instances {
		if l.expanded > expandedBytesMax || l.report.full() {
			return // told already
		}
		l.instance(set, s, instance.text)
	}
}

func (l *loader) templateOf(set layered) *template {
	s := set.find("template")
	if s == nil || s.failed {
		return nil
	}
	t := l.templates[s.value.text]
	if t == nil {
		a := l.report.errorf(s.value.at, "there is no template %s", quoted(s.value.text))
		if near := l.report.closest(s.value.text, l.names); near != "" {
			a.instead("write %s", quoted(near))
		} else {
			a.instead("write the table [template.%s]", s.value.text)
		}
		return nil
	}
	t.used = true
	return t
}

// settle applies presets, brood's own log, the template and the service, in
// this order.
func (l *loader) settle(set layered) *settled {
	service, fresh := *l.base.service, *l.base.fresh
	service.Name, service.Pos = set.node.name, set.node.key.pos()
	d := draft{service: &service, fresh: &fresh}
	for _, settings := range [][]setting{set.base, set.own} {
		for _, s := range settings {
			if !s.failed {
				s.key.put(&d, s.value)
			}
		}
	}
	service.Template = fresh.template.text
	return &settled{&service, &fresh}
}

// required reports the keys that no service can do without.
func (l *loader) required(set layered) {
	if t := set.find("template"); t != nil && set.base == nil && (t.failed || l.templates[t.value.text] == nil) {
		return // what is missing may be in the template that was not found
	}
	for _, k := range serviceSchema().keys {
		if k.required && set.find(k.name) == nil {
			a := l.report.errorf(set.node.key, "service "+set.node.name+" has no "+k.name)
			if k.choices != nil {
				a.instead("write %s = and one of %s", k.name, quotedList(k.choices))
				continue
			}
			a.instead("write %s = %s", k.name, k.shown())
		}
	}
}

// checkInstanceNamed refuses instances that would all be the same.
func (l *loader) checkInstanceNamed(set layered, s *settled) {
	if len(s.fresh.instances) < 2 || set.find("listen") == nil {
		return
	}
	for _, w := range s.fresh.listen {
		if !strings.Contains(w.text, "{instance}") && !strings.Contains(w.text, "{name}") {
			l.report.errorf(w.at, "all %d instances of %s would listen at %s", len(s.fresh.instances), set.node.name, w.text).
				instead("put {instance} into the address")
			s.fresh.listen = nil
			return
		}
	}
}

// instance makes one service out of a settled one.
func (l *loader) instance(set layered, s *settled, name string) {
	svc := *s.service
	svc.Instance = name
	if name != "" {
		svc.Name += "@" + name
	}
	p := &places{l: l, service: &svc, node: set.node}
	svc.Listen = l.listen(p, s.fresh.listen)
	p.listen = svc.Listen
	l.checkEndpoints(set, &svc)
	l.bound.service(l, set, &svc)

	svc.Account = l.account(p, s.fresh)
	svc.Directory = l.directory(p, s.fresh.directory)
	svc.Log.To = p.expand(s.fresh.logTo)
	if set.find("log.to") != nil {
		l.checkLogFile(s.fresh.logTo.at, svc.Log.To)
	}
	for _, w := range s.fresh.ceilings {
		svc.Ceilings = append(svc.Ceilings, w.text)
	}
	p.birth = true
	svc.Command = p.expandAll(s.fresh.command)
	svc.Env = l.environment(p, s.fresh)
	svc.Program = l.program(s.fresh.command, &svc)
	l.cfg.Services = append(l.cfg.Services, &svc)
}

// listen expands and parses the addresses of one instance.
func (l *loader) listen(p *places, words []word) []Listen {
	if len(words) > listenMax {
		l.report.errorf(words[listenMax].at, "a service has at most %d addresses", listenMax).instead("make a second service")
		words = words[:listenMax]
	}
	listens := make([]Listen, 0, len(words))
	for _, w := range words {
		p.failed = false
		text := p.expand(w)
		if p.failed {
			continue
		}
		a, faults := parseAddress(text)
		for _, f := range faults {
			at := w.at
			if text == w.text {
				at = w.at.inner(text, f.from, f.to-f.from)
			}
			l.report.errorf(at, "%s", f.what).instead("%s", f.instead)
		}
		if len(faults) > 0 {
			continue
		}
		l.owner(w, &a)
		listens = append(listens, Listen{Endpoint: a.Endpoint, Name: a.name, Written: text, Pos: w.at.pos(), at: w.at})
	}
	return listens
}

// directory is the working directory, made absolute.
func (l *loader) directory(p *places, w word) string {
	if w.text == "" {
		return l.dir
	}
	p.failed = false
	dir := p.expand(w)
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(l.dir, dir)
	}
	dir = filepath.Clean(dir)
	if l.sys.Directory == nil || p.failed {
		return dir
	}
	if err := l.ask("directory "+dir, func() error { return l.sys.Directory(dir) }); err != nil {
		l.report.errorf(w.at, "cannot use the directory %s: %v", dir, err).instead("make it, or write one that exists")
	}
	return dir
}

// ask remembers the answer to a question about the system.
func (l *loader) ask(question string, f func() error) error {
	if l.found == nil {
		l.found = make(map[string]error)
	}
	err, known := l.found[question]
	if !known {
		err = f()
		l.found[question] = err
	}
	return err
}

// program finds the file that a command names.
func (l *loader) program(words []word, svc *Service) string {
	if len(words) == 0 || len(svc.Command) == 0 {
		return ""
	}
	name, at := svc.Command[0], words[0].at
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(svc.Directory, name)
		}
		if l.sys.Executable == nil {
			return name
		}
		if err := l.ask("program "+name, func() error { return l.sys.Executable(name) }); err != nil {
			l.report.errorf(at, "cannot execute %s: %v", name, err).instead("write the path of the program")
		}
		return name
	}
	if l.sys.Executable == nil {
		return name
	}
	search := variableOf(svc.Env, "PATH")
	if search == "" && l.sys.Getenv != nil {
		search, _ = l.sys.Getenv("PATH")
	}
	if search == "" {
		search = pathPreset
	}
	for _, dir := range filepath.SplitList(search) {
		file := filepath.Join(dir, name)
		if filepath.IsAbs(dir) && l.ask("program "+file, func() error { return l.sys.Executable(file) }) == nil {
			return file
		}
	}
	l.report.errorf(at, "there is no program %s in PATH (%s)", quoted(name), search).
		instead("install it, or write its whole path")
	return name
}

// pathPreset is where programs are looked for when nobody says.
const pathPreset = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func variableOf(env []string, name string) string {
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// environment is what passes of brood's own, what follows from the user, the
// files, and env, the later over the earlier.
func (l *loader) environment(p *places, fresh *raw) []string {
	vars := make(map[string]string)
	for _, name := range fresh.envPass {
		if l.sys.Getenv == nil || slices.Contains(reservedVariables[name], p.service.Protocol) {
			continue
		}
		if text, ok := l.sys.Getenv(name); ok {
			vars[name] = text
		}
	}
	if slices.Contains(fresh.envPass, "PATH") && vars["PATH"] == "" {
		vars["PATH"] = pathPreset
	}
	if a := p.service.Account; a.User != "" && a.Home != "" {
		vars["HOME"], vars["USER"], vars["LOGNAME"] = a.Home, a.User, a.User
		if a.Shell != "" {
			vars["SHELL"] = a.Shell
		}
	}
	if p.service.Accept == Spread {
		vars["BROOD_ACCEPT"] = "spread"
	}
	for _, w := range fresh.envFiles {
		for _, v := range l.envFile(p, w) {
			l.checkVariable(p.service, v)
			vars[v.name] = v.value.text
		}
	}
	for _, v := range fresh.env {
		l.checkVariable(p.service, v)
		vars[v.name] = p.expand(v.value)
	}
	env := make([]string, 0, len(vars))
	for name, text := range vars {
		if !l.spend(p.node.key, len(name)+len(text)+envEntryBytes) {
			break
		}
		env = append(env, name+"="+text)
	}
	sort.Strings(env)
	return env
}

const envEntryBytes = 17 // a string header, and "=" or NUL

// spend counts what is made beyond the text of the files, and refuses when it
// would be too much.
func (l *loader) spend(at span, bytes int) bool {
	before := l.expanded
	l.expanded += bytes
	if before <= expandedBytesMax && l.expanded > expandedBytesMax {
		l.report.errorf(at, "commands and environments of all services are more than %s", formatSize(expandedBytesMax)).
			instead("make them shorter, or the services fewer")
	}
	return l.expanded <= expandedBytesMax
}

// reservedVariables are set by brood at birth, by the protocols that have them.
var reservedVariables = map[string][]plan.Protocol{
	"LISTEN_FDS":     {plan.ProtocolSystemd},
	"LISTEN_PID":     {plan.ProtocolSystemd},
	"LISTEN_FDNAMES": {plan.ProtocolSystemd},
	"NOTIFY_SOCKET":  {plan.ProtocolSystemd},
	"WATCHDOG_USEC":  {plan.ProtocolSystemd},
	"WATCHDOG_PID":   {plan.ProtocolSystemd},
	"GENERATION":     {plan.ProtocolPostfix},
}

func (l *loader) checkVariable(svc *Service, v variable) {
	if slices.Contains(reservedVariables[v.name], svc.Protocol) {
		l.report.errorf(v.value.at, "%s is set by the protocol %s at every birth", v.name, protocolName(svc.Protocol)).instead("leave it out")
	}
}

// decimal is a number in text.
func decimal(n int) string { return strconv.Itoa(n) }
