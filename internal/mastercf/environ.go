package mastercf

import (
	"fmt"
	"strings"
)

// importEnvironment makes the environment of the children: what
// import_environment lets through or sets, in its order, then where to log.
// Only what the list names gets through, so a list without MAIL_CONFIG leaves
// it out, as in Postfix.
func (l *loader) importEnvironment(manager []string) []string {
	have := map[string]string{}
	for _, pair := range manager {
		if name, value, ok := strings.Cut(pair, "="); ok {
			have[name] = value
		}
	}
	have["MAIL_CONFIG"] = l.config.ConfigDir
	have["MAIL_LOGTAG"] = l.config.SyslogName
	env := environment{index: map[string]int{}}
	for _, word := range l.environmentWords() {
		name, value, assigned := strings.Cut(word, "=")
		if assigned {
			env.set(strings.TrimRight(name, spaces), strings.TrimLeft(value, spaces))
		} else if value, ok := have[name]; ok {
			env.set(name, value)
		}
	}
	env.drop("POSTLOG_SERVICE")
	env.drop("POSTLOG_HOSTNAME")
	if l.config.MaillogFile != "" {
		env.set("POSTLOG_SERVICE", l.config.PostlogPath)
		env.set("POSTLOG_HOSTNAME", l.config.Hostname)
	}
	return env.pairs
}

// environmentWords splits import_environment, checks each word and takes the
// braces off.
func (l *loader) environmentWords() []string {
	value := l.text("import_environment", 0)
	var words []string
	for at := 0; ; {
		var raw string
		if raw, at = listWord(value, at); raw == "" {
			return words
		}
		word, fault := unbrace(raw)
		if fault != "" {
			l.fail("import_environment", fault+" in "+quote(raw), "write { name = value }",
				fmt.Sprintf("import_environment: %s in \"%s\"", fault, raw))
			return words
		}
		if fault := assignmentFault(word); fault != "" {
			l.fail("import_environment", fault+" in "+quote(word), "write name or name=value",
				fmt.Sprintf("clean_env: %s in: %s", fault, word))
			continue
		}
		words = append(words, word)
	}
}

// listWord finds the next word of a list that is separated by commas and white
// space, where braces hold words together.
func listWord(s string, at int) (word string, next int) {
	separates := func(c byte) bool { return c == ',' || isSpace(c) }
	for at < len(s) && separates(s[at]) {
		at++
	}
	start, level := at, 0
	for ; at < len(s); at++ {
		switch c := s[at]; {
		case c == '{':
			level++
		case level > 0 && c == '}':
			level--
		case level == 0 && separates(c):
			return s[start:at], at
		}
	}
	return s[start:], at
}

// assignmentFault tells what is wrong with NAME = VALUE, in Postfix's words. A
// word without "=" names a variable and is never wrong.
func assignmentFault(word string) string {
	name, _, assigned := strings.Cut(word, "=")
	name = strings.TrimRight(name, spaces)
	switch {
	case !assigned:
		return ""
	case name == "":
		return "missing attribute name"
	case strings.ContainsAny(name, spaces):
		return "missing '=' after attribute name"
	}
	return ""
}

// environment is an ordered set of variables: a second assignment replaces the
// first in its place.
type environment struct {
	pairs []string
	index map[string]int
}

func (e *environment) set(name, value string) {
	if i, ok := e.index[name]; ok {
		e.pairs[i] = name + "=" + value
		return
	}
	e.index[name] = len(e.pairs)
	e.pairs = append(e.pairs, name+"="+value)
}

func (e *environment) drop(name string) {
	i, ok := e.index[name]
	if !ok {
		return
	}
	e.pairs = append(e.pairs[:i], e.pairs[i+1:]...)
	delete(e.index, name)
	for other, at := range e.index {
		if at > i {
			e.index[other] = at - 1
		}
	}
}
