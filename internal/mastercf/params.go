package mastercf

import (
	"fmt"
	"strings"

	"github.com/brood-project/brood/internal/plan"
)

// Params are the settings of a main.cf over the compiled-in defaults. Values
// are kept as written and expanded when asked for. A Params is for one
// goroutine at a time.
type Params struct {
	file     string
	set      map[string]setting
	order    []string
	pinned   map[string]string
	defaults *defaults
}

// setting is the last value that a name was given in main.cf.
type setting struct {
	value string
	pos   plan.Pos // of the value
}

// ParseMain reads the text of a main.cf. The name of the file is for
// diagnostics only. What cannot be understood is left out and told.
func ParseMain(file, text string) (*Params, plan.Diagnostics) {
	p := &Params{file: file, set: map[string]setting{}, defaults: &defaults{}}
	var n notes
	scanner := lineScanner{rest: text}
	for {
		l, ok := scanner.next()
		if !ok || n.hopeless(file, l.first) {
			return p, n.told(file)
		}
		if n.odd(file, l) {
			p.assign(&n, l)
		}
	}
}

// assign takes one logical line, NAME = VALUE.
func (p *Params) assign(n *notes, l logicalLine) {
	fail := func(what, instead, postfix string) {
		n.add(plan.Error, l.pos(p.file, 0), 0, what, instead,
			fmt.Sprintf("%s, line %d: %s: \"%s\"", p.file, l.first, postfix, l.text))
	}
	end := strings.IndexFunc(l.text, func(r rune) bool { return r == '=' || r < 0x80 && isSpace(byte(r)) })
	if end < 0 {
		end = len(l.text)
	}
	name := l.text[:end]
	rest := strings.TrimLeft(l.text[end:], spaces)
	switch {
	case name == "":
		fail("a value without a name", "write name = value", "missing attribute name")
		return
	case rest == "" || rest[0] != '=':
		fail("no \"=\" after "+quote(name), "write "+name+" = value", "missing '=' after attribute name")
		return
	}
	value := strings.TrimLeft(rest[1:], spaces)
	pos := l.pos(p.file, len(l.text)-len(value))
	value = strings.TrimRight(value, spaces)
	if old, again := p.set[name]; again && old.value != value {
		n.add(plan.Warning, l.pos(p.file, 0), len(name),
			fmt.Sprintf("%s was already set at line %d; the last setting counts", name, old.pos.Line),
			"remove one of the two",
			fmt.Sprintf("%s, line %d: overriding earlier entry: %s=%s", p.file, l.first, name, old.value))
	} else if !again {
		p.order = append(p.order, name)
	}
	p.set[name] = setting{value, pos}
}

// Names are the names set in main.cf, in the order of their first setting.
func (p *Params) Names() []string { return p.order }

// Pos is the place of a name's value; of a name that is not set, it is the
// file.
func (p *Params) Pos(name string) plan.Pos {
	if s, ok := p.set[name]; ok {
		return s.pos
	}
	return plan.Pos{File: p.file}
}

// IsSet tells whether main.cf sets the name.
func (p *Params) IsSet(name string) bool {
	_, ok := p.set[name]
	return ok
}

// Raw is the value before expansion, from main.cf or from the defaults. It is
// false for a name that neither knows.
func (p *Params) Raw(name string) (string, bool) {
	if v, ok := p.pinned[name]; ok {
		return v, true
	}
	if s, ok := p.set[name]; ok {
		return s.value, true
	}
	return p.defaults.lookup(name)
}

// Value is the value of a name, expanded. The error, when there is one, is an
// *ExpandError.
func (p *Params) Value(name string) (string, error) {
	raw, _ := p.Raw(name)
	return p.Expand(raw)
}

// pin gives a name a value that main.cf cannot change.
func (p *Params) pin(name, value string) {
	if p.pinned == nil {
		p.pinned = map[string]string{}
	}
	p.pinned[name] = strings.ReplaceAll(value, "$", "$$")
}

// String is the settings as a main.cf that reads the same.
func (p *Params) String() string {
	var b strings.Builder
	for _, name := range p.order {
		b.WriteString(strings.TrimRight(name+" = "+p.set[name].value, " ") + "\n")
	}
	return b.String()
}

func quote(s string) string { return `"` + printable(s) + `"` }
