package native

import (
	"slices"
	"strings"
	"time"

	"github.com/brood-project/brood/internal/plan"
)

// key is one thing that can be set. The tables of keys are the only place that
// knows them: parsing, validation, the starting file and the manual follow.
type key struct {
	// name is the whole name within its table, such as "workers.max".
	name string
	kind *kind
	// preset is the default as it is written in TOML; "" when there is none.
	preset string
	// example is a value worth showing where preset is not.
	example string
	// min and max bound the value, in the unit of its kind: a number, bytes,
	// nanoseconds. Both 0 leaves it to the kind.
	min, max int64
	// zero is the word that stands for 0, such as "never".
	zero string
	// choices are the words of a choice.
	choices []string
	// only are the protocols that the key means something to; nil is all.
	only *audience
	// also are names by which other programs know it, for better advice.
	also []string
	// places has the placeholders expanded in its text.
	places bool
	// required has the service refused without it.
	required bool
	// once forbids it in a template.
	once bool
	doc  string
	put  func(*draft, value)
}

// draft is what keys write to: the one of the three that their table is for.
type draft struct {
	service *Service
	brood   *Brood
	ceiling *Ceiling
	// fresh is what a service's keys leave for the steps after them.
	fresh *raw
	// operators are the groups of [brood], before they are looked up.
	operators []word
}

// raw are the settings of a service that need the placeholders or the system
// before they mean anything.
type raw struct {
	template  word
	instances []word
	listen    []word
	command   []word
	env       []variable
	envFiles  []word
	envPass   []string
	directory word
	logTo     word
	user      word
	group     word
	groups    []word
	ceilings  []word
}

// variable is one entry of an env table.
type variable struct {
	name  string
	value word
}

// word is text with its place.
type word struct {
	text string
	at   span
}

// value is what was set, decoded by the key's kind.
type value struct {
	at    span
	num   int64
	ratio float64
	flag  bool
	text  string
	words []word
	env   []variable
	limit Limit
}

func (v value) word() word              { return word{v.text, v.at} }
func (v value) duration() time.Duration { return time.Duration(v.num) }

// setting is a key that was set, and where its name is written. A failed one
// was reported: it counts as made, so that its key is not missing, but it sets
// nothing.
type setting struct {
	key    *key
	value  value
	at     span
	failed bool
}

// schema is the keys of one kind of table.
type schema struct {
	table string // how the table is written, for messages
	keys  []*key
	named map[string]*key
	group map[string][]string // names below "workers", "start", …
	names []string            // first parts of all names, in order
}

func newSchema(table string, keys []*key) *schema {
	s := &schema{table: table, keys: keys, named: make(map[string]*key), group: make(map[string][]string)}
	for _, k := range keys {
		s.named[k.name] = k
		head, tail, nested := strings.Cut(k.name, ".")
		if nested {
			if s.group[head] == nil {
				s.names = append(s.names, head)
			}
			s.group[head] = append(s.group[head], tail)
			continue
		}
		s.names = append(s.names, k.name)
	}
	return s
}

// appliesTo tells whether a key means something to a protocol.
func (k *key) appliesTo(p plan.Protocol) bool {
	if k.only == nil {
		return true
	}
	return slices.Contains(k.only.protocols, p)
}

// audience is a set of protocols, and why a key means nothing to the others.
type audience struct {
	protocols []plan.Protocol
	why       string
}

// shown is the example, or else the default, for messages and files.
func (k *key) shown() string {
	if k.example != "" {
		return k.example
	}
	return k.preset
}

// protocolNames are the words for the protocols, in the order of their numbers.
var protocolNames = []string{"postfix", "systemd", "fastcgi", "inetd", "none"}

// protocolAt is the protocol that protocolNames has at an index.
func protocolAt(i int) plan.Protocol { return plan.Protocol(i + 1) }

func protocolName(p plan.Protocol) string {
	if p < 1 || int(p) > len(protocolNames) {
		return "?"
	}
	return protocolNames[p-1]
}

// listOf is "a, b or c".
func listOf(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}

func protocolList(ps []plan.Protocol) string {
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = protocolName(p)
	}
	return listOf(names, "and")
}
