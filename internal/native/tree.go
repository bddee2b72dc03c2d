package native

import (
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// node is a TOML value with its places: that of its key and that of itself.
type node struct {
	// kind is that of the value; Table for tables of all notations, Invalid
	// for a value that could not be parsed and was reported already.
	kind unstable.Kind
	name string
	key  span
	at   span
	// text is the decoded text of a string, and what was written for any
	// other scalar.
	text   string
	items  []*node
	fields []*node
	index  map[string]*node
	origin origin
}

// origin is the notation by which a table came to be. TOML's rules on what may
// add to a table depend on it.
type origin uint8

const (
	implied      origin = iota // named on the way to another one: "a" of [a.b]
	headed                     // [a]
	dotted                     // "a" of a.b = 1
	inline                     // a = { … }
	inlineDotted               // "b" of a = { b.c = 1 }
	detached                   // body of a header that was reported; not looked at
)

func newTable(name string, key span, o origin) *node {
	return &node{kind: unstable.Table, name: name, key: key, at: key, origin: o}
}

// field is the value under a name, nil without one.
func (n *node) field(name string) *node {
	if n.index != nil {
		return n.index[name]
	}
	for _, f := range n.fields {
		if f.name == name {
			return f
		}
	}
	return nil
}

const indexFrom = 16 // fields from which on a table has an index

func (n *node) add(f *node) {
	n.fields = append(n.fields, f)
	switch {
	case n.index != nil:
		n.index[f.name] = f
	case len(n.fields) >= indexFrom:
		n.index = make(map[string]*node, 2*indexFrom)
		for _, f := range n.fields {
			n.index[f.name] = f
		}
	}
}

// builder makes the tree of one file out of the parser's expressions and holds
// it to TOML's rules on duplicates.
type builder struct {
	src    *source
	report *report
	parser unstable.Parser
	base   int // offset of the parser's input in the file
	root   *node
	into   *node // the table that keys go to
	last   int   // end of the last expression that was understood
}

func (b *builder) span(r unstable.Range) span {
	off := b.base + int(r.Offset)
	return span{b.src, off, off + int(r.Length)}
}

// keyPart is one part of a dotted key.
type keyPart struct {
	name string
	at   span
}

func (b *builder) path(n *unstable.Node) []keyPart {
	var parts []keyPart
	for it := n.Key(); it.Next(); {
		parts = append(parts, keyPart{string(it.Node().Data), b.span(it.Node().Raw)})
	}
	return parts
}

func dottedName(parts []keyPart) string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.name
	}
	return strings.Join(names, ".")
}

// expression takes one line of the file: a header or a key with its value.
func (b *builder) expression(n *unstable.Node) {
	parts := b.path(n)
	end := parts[len(parts)-1].at.end
	switch n.Kind {
	case unstable.Table:
		b.into = b.header(parts)
	case unstable.ArrayTable:
		b.report.errorf(span{b.src, parts[0].at.off, end}, "a list of tables, [[%s]], where one table is wanted", dottedName(parts)).
			instead("write [%s] with single brackets, and a name of its own for each", headerExample(parts))
		b.into = newTable("", parts[0].at, detached)
	case unstable.KeyValue:
		b.keyValue(b.into, n, parts, dotted, 0)
		end = b.span(n.Raw).end
	}
	b.last = end
}

// headerExample is the header that was probably meant.
func headerExample(parts []keyPart) string {
	if len(parts) == 1 {
		return parts[0].name + ".NAME"
	}
	return dottedName(parts)
}

// header finds or makes the table that a [header] opens.
func (b *builder) header(parts []keyPart) *node {
	t := b.root
	for i, p := range parts {
		f, final := t.field(p.name), i == len(parts)-1
		switch {
		case f == nil:
			f = newTable(p.name, p.at, implied)
			t.add(f)
		case f.kind != unstable.Table || f.origin == inline:
			b.twice(p, f)
			return newTable("", p.at, detached)
		case final && f.origin != implied:
			b.twice(p, f)
			return newTable("", p.at, detached)
		}
		if final {
			f.origin, f.key, f.at = headed, p.at, p.at
		}
		t = f
	}
	return t
}

func (b *builder) twice(p keyPart, first *node) {
	b.report.errorf(p.at, "%s is already set at %s", quoted(p.name), first.key.pos()).
		instead("keep one of the two")
}

// keyValue puts one value into a table.
func (b *builder) keyValue(t *node, n *unstable.Node, parts []keyPart, o origin, depth int) {
	for _, p := range parts[:len(parts)-1] {
		f := t.field(p.name)
		if f == nil {
			f = newTable(p.name, p.at, o)
			t.add(f)
		} else if f.kind != unstable.Table || f.origin != o {
			b.twice(p, f)
			return
		}
		t = f
	}
	p := parts[len(parts)-1]
	if first := t.field(p.name); first != nil {
		b.twice(p, first)
		return
	}
	v := b.value(n.Value(), b.valueSpan(n, p.at.end), depth)
	v.name, v.key = p.name, p.at
	t.add(v)
}

// valueSpan is where the value of a key is written: behind the equals sign, up
// to the end of the expression.
func (b *builder) valueSpan(kv *unstable.Node, keyEnd int) span {
	all := b.span(kv.Raw)
	off := keyEnd
	for off < all.end && strings.IndexByte(" \t=", b.src.data[off]) >= 0 {
		off++
	}
	return span{b.src, off, all.end}
}

func (b *builder) value(n *unstable.Node, at span, depth int) *node {
	v := &node{kind: n.Kind, at: at}
	if depth > nestingMax {
		b.report.errorf(at, "more than %d tables and lists within each other", nestingMax).
			instead("nothing in this file wants that; see docs/config.md")
		v.kind = unstable.Invalid
		return v
	}
	switch n.Kind {
	case unstable.Array:
		for it := n.Children(); it.Next(); {
			item := b.value(it.Node(), b.itemSpan(it.Node(), at), depth+1)
			if item.kind == unstable.Invalid {
				v.kind = unstable.Invalid
			}
			v.items = append(v.items, item)
		}
	case unstable.InlineTable:
		v.kind, v.origin = unstable.Table, inline
		for it := n.Children(); it.Next(); {
			kv := it.Node()
			b.keyValue(v, kv, b.path(kv), inlineDotted, depth+1)
		}
	default:
		v.text = string(n.Data)
	}
	return v
}

// itemSpan is the place of an element of an array. The parser gives none for
// nested arrays; they take that of the array around them.
func (b *builder) itemSpan(n *unstable.Node, around span) span {
	if n.Raw.Length > 0 {
		return b.span(n.Raw)
	}
	return around
}
