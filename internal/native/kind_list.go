package native

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2/unstable"
)

// The kinds that are made of several values.

func decodeList(r *report, k *key, n *node) (value, bool) {
	if n.kind != unstable.Array {
		return wrongType(r, k, n)
	}
	if len(n.items) > wordsMax {
		r.errorf(n.at, "%s has %d elements", k.name, len(n.items)).instead("write at most %d", wordsMax)
		return value{}, false
	}
	v, ok := value{at: n.at, words: make([]word, 0, len(n.items))}, true
	for _, item := range n.items {
		switch {
		case item.kind == unstable.Invalid:
			ok = false
		case item.kind != unstable.String:
			a := r.errorf(item.at, "an element of %s is %s, where text in quotes is wanted", k.name, typeName(item))
			if len(item.items) == 0 && item.kind != unstable.Table && item.kind != unstable.Array {
				a.instead("write %s", quoted(item.at.text()))
			} else {
				a.instead("write the elements one after the other: %s = %s", lastPart(k.name), k.shown())
			}
			ok = false
		case !soundText(r, k, item):
			ok = false
		default:
			v.words = append(v.words, word{item.text, item.at})
		}
	}
	return v, ok
}

func decodeCommand(r *report, k *key, n *node) (value, bool) {
	v, ok := decodeList(r, k, n)
	if !ok {
		return v, false
	}
	if len(v.words) == 0 || v.words[0].text == "" {
		r.errorf(n.at, "%s names no program", k.name).instead("write %s = %s", lastPart(k.name), k.shown())
		return v, false
	}
	if first := v.words[0]; len(v.words) == 1 && strings.ContainsAny(first.text, " \t") && !strings.HasPrefix(first.text, "/") {
		r.errorf(first.at, "%s looks like a whole command line, but it is taken as the name of one program", quoted(first.text)).
			instead("write %s", commandFor(first.text))
		return v, false
	}
	return v, true
}

// decodePaths takes one path, or a list of them.
func decodePaths(r *report, k *key, n *node) (value, bool) {
	if n.kind == unstable.String {
		return value{at: n.at, words: []word{{n.text, n.at}}}, soundText(r, k, n)
	}
	return decodeList(r, k, n)
}

// nameForm is what services, templates, ceilings and instances may be called.
var nameForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`) })

func goodName(name string) bool {
	return len(name) <= nameBytesMax && nameForm().MatchString(name)
}

const nameRule = "a name of up to 64 letters, digits and . _ - that begins with a letter or digit"

// decodeInstances takes a list of names, or the range { from, to }.
func decodeInstances(r *report, k *key, n *node) (value, bool) {
	if n.kind == unstable.Table {
		return decodeInstanceRange(r, n)
	}
	v, ok := decodeList(r, k, n)
	seen := make(map[string]span, len(v.words))
	for _, w := range v.words {
		if first, again := seen[w.text]; again {
			r.errorf(w.at, "instance %s is listed twice, first at %s", quoted(w.text), first.pos()).instead("leave one out")
			ok = false
		} else if seen[w.text] = w.at; !goodName(w.text) {
			r.errorf(w.at, "%s is no name for an instance", quoted(w.text)).instead("write %s", nameRule)
			ok = false
		}
	}
	if ok && len(v.words) == 0 {
		r.errorf(n.at, "instances is empty, so there would be no service at all").instead("write %s, or leave the key out", k.shown())
		ok = false
	}
	return v, ok
}

func decodeInstanceRange(r *report, n *node) (value, bool) {
	var bounds [2]int64
	ok := true
	for i, name := range []string{"from", "to"} {
		f := n.field(name)
		if f == nil {
			r.errorf(n.at, "the range of instances has no %q", name).instead("write instances = { from = 1, to = 9 }")
			ok = false
			continue
		}
		bound := &key{name: "instances." + name, kind: kindCount, preset: "1", max: math.MaxInt32}
		v, good := decodeCount(r, bound, f)
		bounds[i], ok = v.num, ok && good
	}
	for _, f := range n.fields {
		if f.name != "from" && f.name != "to" {
			r.errorf(f.key, "unknown key %s", quoted(f.name)).instead("the range of instances has from and to")
			ok = false
		}
	}
	if !ok {
		return value{}, false
	}
	count := bounds[1] - bounds[0] + 1
	if count < 1 || count > servicesMax {
		r.errorf(n.at, "instances from %d to %d are %d services", bounds[0], bounds[1], max(count, 0)).
			instead("write a range of 1 to %d", servicesMax)
		return value{}, false
	}
	v := value{at: n.at, words: make([]word, 0, count)}
	for i := bounds[0]; i <= bounds[1]; i++ {
		v.words = append(v.words, word{strconv.FormatInt(i, 10), n.at})
	}
	return v, true
}

var variableForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) })

func decodeEnv(r *report, k *key, n *node) (value, bool) {
	if n.kind != unstable.Table {
		return wrongType(r, k, n)
	}
	if len(n.fields) > wordsMax {
		r.errorf(n.at, "%s has %d variables", k.name, len(n.fields)).instead("write at most %d", wordsMax)
		return value{}, false
	}
	v, ok := value{at: n.at, env: make([]variable, 0, len(n.fields))}, true
	for _, f := range n.fields {
		switch {
		case f.kind == unstable.Invalid:
			ok = false
		case !variableForm().MatchString(f.name):
			r.errorf(f.key, "%s is no name for a variable", quoted(f.name)).instead("write letters, digits and _")
			ok = false
		case f.kind != unstable.String:
			a := r.errorf(f.at, "the variable %s is %s, where text in quotes is wanted", f.name, typeName(f))
			if f.kind != unstable.Table && f.kind != unstable.Array {
				a.instead("write %s = %s", f.name, quoted(f.at.text()))
			} else {
				a.instead(`write %s = "value"`, f.name)
			}
			ok = false
		case !soundText(r, k, f):
			ok = false
		default:
			v.env = append(v.env, variable{f.name, word{f.text, f.at}})
		}
	}
	return v, ok
}

// decodeLimit takes SOFT, which is then HARD as well, or "SOFT:HARD".
func decodeLimit(r *report, k *key, n *node) (value, bool) {
	text := n.text
	if n.kind != unstable.Integer && n.kind != unstable.String {
		return wrongType(r, k, n)
	}
	soft, hard, two := strings.Cut(text, ":")
	if !two {
		hard = soft
	}
	res := resources[strings.TrimPrefix(k.name, "limits.")]
	var l Limit
	for i, part := range []string{soft, hard} {
		num, err := parseLimit(part, res.unit)
		if err != nil {
			return badValue(r, k, n, err.Error())
		}
		if i == 0 {
			l.Soft = num
		} else {
			l.Hard = num
		}
	}
	if l.Soft > l.Hard {
		r.errorf(n.at, "%s has a soft limit above the hard one", k.name).instead("write %s", quoted(hard+":"+soft))
		return value{}, false
	}
	l.Resource, l.Name = res.number, strings.TrimPrefix(k.name, "limits.")
	return value{at: n.at, limit: l}, true
}

func parseLimit(text string, unit limitUnit) (uint64, error) {
	if text == "unlimited" {
		return Unlimited, nil
	}
	if unit == limitSeconds {
		if d, err := parseDuration(text); err == nil {
			return uint64(d.Seconds()), nil
		}
	}
	n, err := parseSize(strings.ReplaceAll(text, "_", ""))
	if err != nil {
		return 0, err
	}
	return uint64(n), nil
}

// limitUnit is what a resource limit counts.
type limitUnit uint8

const (
	limitCount limitUnit = iota + 1
	limitBytes
	limitSeconds
)

// resource is one of setrlimit(2), by its number on Linux for x86, arm and
// riscv.
type resource struct {
	number int
	unit   limitUnit
	doc    string
}

var resources = map[string]resource{
	"cpu":        {0, limitSeconds, "processor time; the soft limit sends XCPU, the hard one KILL"},
	"fsize":      {1, limitBytes, "size of a file that is written"},
	"data":       {2, limitBytes, "data segment"},
	"stack":      {3, limitBytes, "stack of the first thread"},
	"core":       {4, limitBytes, "size of a core dump; 0 for none"},
	"nproc":      {6, limitCount, "processes and threads of the user, all of them together"},
	"nofile":     {7, limitCount, "open descriptors"},
	"memlock":    {8, limitBytes, "memory locked in place"},
	"as":         {9, limitBytes, "address space; a program that reserves much needs much"},
	"sigpending": {11, limitCount, "signals that wait for delivery"},
	"msgqueue":   {12, limitBytes, "POSIX message queues"},
	"nice":       {13, limitCount, "how far it may raise its priority, 1 to 40"},
	"rtprio":     {14, limitCount, "highest real-time priority"},
}
