package native

import (
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/plan"
)

// placeholders are what may stand in braces; the manual lists them from here.
var placeholders = []struct{ name, doc string }{
	{"name", "the service's name, with @INSTANCE when it has instances"},
	{"instance", "the instance's name"},
	{"runtime", "the runtime directory, see [brood]"},
	{"fd", "the descriptor of the first socket; {fd:2} of the second (command and env, protocol none)"},
	{"port", "the port of the first address; {port:2} of the second (command and env)"},
}

var placeholderNames = func() []string {
	names := make([]string, len(placeholders))
	for i, p := range placeholders {
		names[i] = p.name
	}
	return names
}()

// slot is a placeholder in a text: {name} or {name:2}. Doubled braces around
// it make it plain text.
type slot struct {
	from, to int
	name     string
	index    int
	plain    bool
}

// nextSlot finds the first placeholder from an offset on.
func nextSlot(text string, from int) (slot, bool) {
	for {
		i := strings.IndexByte(text[from:], '{')
		if i < 0 {
			return slot{}, false
		}
		from += i
		if s, ok := slotAt(text, from); ok {
			return s, true
		}
		from++
	}
}

// noIndex is the index of a placeholder whose number is none, as in {fd:x}.
const noIndex = -1

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// slotAt reads the placeholder that begins with the brace at an offset.
func slotAt(text string, from int) (slot, bool) {
	opening, closing := "{", "}"
	if strings.HasPrefix(text[from:], "{{") {
		opening, closing = "{{", "}}"
	}
	rest := text[from+len(opening):]
	s := slot{from: from, name: leading(rest, letters), index: 1, plain: opening == "{{"}
	rest = rest[len(s.name):]
	if number, ok := strings.CutPrefix(rest, ":"); ok {
		digits := leading(number, "0123456789"+letters)
		if digits == "" || len(digits) > 3 {
			return slot{}, false
		}
		var err error
		if s.index, err = strconv.Atoi(digits); err != nil {
			s.index = noIndex
		}
		rest = number[len(digits):]
	}
	if s.name == "" || !strings.HasPrefix(rest, closing) {
		return slot{}, false
	}
	s.to = len(text) - len(rest) + len(closing)
	return s, true
}

// expansionBytes is what one expansion counts for beyond its text, so that many
// short ones are bounded as well.
const expansionBytes = 64

// places expands the placeholders of one service.
type places struct {
	l       *loader
	service *Service
	node    *node // the service's table
	listen  []Listen
	// birth is set where {fd} and {port} mean something.
	birth bool
	// failed is set once a placeholder could not be filled in.
	failed bool
}

// expandAll expands each word, and returns the words' texts.
func (p *places) expandAll(words []word) []string {
	if !p.l.spend(p.node.key, len(words)*envEntryBytes) {
		return nil
	}
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = p.expand(w)
	}
	return texts
}

// expand replaces the placeholders in a text. Braces around anything that
// looks like none stay as they are.
func (p *places) expand(w word) string {
	s, found := nextSlot(w.text, 0)
	if !found {
		return w.text
	}
	var b strings.Builder
	last, literal := 0, w.at.literal(w.text)
	for ; found; s, found = nextSlot(w.text, last) {
		b.WriteString(w.text[last:s.from])
		last = s.to
		whole := w.text[s.from:s.to]
		if s.plain {
			b.WriteString(whole[1 : len(whole)-1])
			continue
		}
		at := w.at
		if literal {
			at = span{at.src, at.off + 1 + s.from, at.off + 1 + s.to}
		}
		b.WriteString(p.value(at, s.name, s.index, whole))
		if b.Len() > wordBytesMax {
			p.l.report.errorf(w.at, "with its placeholders filled in this is longer than %d bytes", wordBytesMax).instead("shorten it")
			return ""
		}
	}
	b.WriteString(w.text[last:])
	if !p.l.spend(w.at, len(w.text)+b.Len()+expansionBytes) {
		return ""
	}
	return b.String()
}

// value is what one placeholder stands for; what is unknown stays.
func (p *places) value(at span, name string, index int, whole string) string {
	r := &p.l.report
	p.failed = p.failed || name == "instance" && p.service.Instance == ""
	switch name {
	case "name":
		return p.service.Name
	case "instance":
		if p.service.Instance == "" {
			r.errorf(at, "{instance} in a service without instances").instead("write instances = [\"blue\", \"green\"], or {name}")
		}
		return p.service.Instance
	case "runtime":
		return p.l.cfg.Brood.Runtime
	case "fd", "port":
		return p.socket(at, name, index, whole)
	}
	if near := r.closest(name, placeholderNames); near != "" && name != near {
		r.errorf(at, "there is no placeholder %s", whole).instead("write {%s}, or {%s} if the braces are meant", near, whole)
	}
	return whole
}

// socket is the descriptor or the port of one of the addresses.
func (p *places) socket(at span, name string, index int, whole string) string {
	r := &p.l.report
	switch {
	case !p.birth:
		p.failed = true
		r.errorf(at, "%s means something in command and env only", whole).instead("write the number")
		return ""
	case name == "fd" && p.service.Protocol != plan.ProtocolNone:
		p.wrongFD(at)
		return ""
	case index < 1 || index > len(p.listen):
		if len(p.listen) > 0 {
			r.errorf(at, "%s, but the service has %s", whole, plural(len(p.listen), "address")).
				instead("write %s", listOf(numbered(name, len(p.listen)), "or"))
		}
		return ""
	case name == "fd":
		return decimal(p.service.FD + index - 1)
	}
	l := p.listen[index-1]
	if l.Network == plan.NetTCP || l.Network == plan.NetUDP || l.Network == plan.NetVsock {
		return strconv.FormatUint(uint64(l.Port), 10)
	}
	r.errorf(at, "%s, but %s has no port", whole, l.Written).instead("write the path, or {port:N} of an address that has one")
	return ""
}

// numbered are the placeholders of n addresses, three at most.
func numbered(name string, n int) []string {
	forms := []string{"{" + name + "}"}
	for i := 2; i <= min(n, 3); i++ {
		forms = append(forms, "{"+name+":"+decimal(i)+"}")
	}
	return forms
}

// wrongFD says nothing where the protocol is unknown, which is a mistake of its
// own.
func (p *places) wrongFD(at span) {
	if p.service.Protocol == 0 {
		return
	}
	a := p.l.report.errorf(at, "{fd} with the protocol %s, which has a descriptor of its own", protocolName(p.service.Protocol))
	switch p.service.Protocol {
	case plan.ProtocolSystemd:
		a.instead("write 3, the first descriptor of systemd, or protocol = \"none\"")
	case plan.ProtocolPostfix:
		a.instead("write 6, the first descriptor of postfix, or protocol = \"none\"")
	default:
		a.instead("write 0, or protocol = \"none\"")
	}
}
