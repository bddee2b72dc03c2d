package native

import (
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// decode turns the body of a table into settings, by its schema, and reports
// all that the schema does not know or does not like.
func decode(r *report, s *schema, table *node) []setting {
	return decodeFields(r, s, table, "")
}

// decodeFields does it for the fields below a prefix such as "workers.".
func decodeFields(r *report, s *schema, table *node, prefix string) []setting {
	var settings []setting
	for _, f := range table.fields {
		name := prefix + f.name
		k := s.named[name]
		switch {
		case k != nil:
			v, ok := k.decode(r, f)
			settings = append(settings, setting{k, v, f.key, !ok})
		case prefix == "" && s.group[f.name] != nil:
			if f.kind == unstable.Table {
				settings = append(settings, decodeFields(r, s, f, f.name+".")...)
				continue
			}
			s.notATable(r, f)
		default:
			meant := s.unknown(r, f, prefix)
			if k := s.named[meant]; prefix == "" && k != nil && k.required && table.field(meant) == nil {
				// It stands for what was meant, which is not missing as well.
				settings = append(settings, setting{k, value{at: f.at}, f.key, true})
			}
		}
	}
	return settings
}

// notATable reports a plain value where a group of keys is wanted.
func (s *schema) notATable(r *report, f *node) {
	if f.kind == unstable.Invalid {
		return
	}
	names := s.group[f.name]
	a := r.errorf(f.at, "%s wants a table of %s, not %s", f.name, listOf(names, "and"), typeName(f))
	guess := names[len(names)-1]
	for _, name := range names {
		if k := s.named[f.name+"."+name]; fits(k, f) {
			guess = name
		}
	}
	if f.name == "limits" {
		guess = "nofile" // what is meant most often
	}
	k := s.named[f.name+"."+guess]
	shown := k.shown()
	if fits(k, f) {
		shown = f.at.text()
	}
	a.instead("write %s = { %s = %s }", f.name, guess, shown)
}

// fits tells whether a value would do for a key, without a word about it.
func fits(k *key, f *node) bool {
	var quiet report
	_, ok := k.decode(&quiet, f)
	return ok
}

// unknown reports a key that the schema does not have, with the one that was
// probably meant, which it returns; "" for none.
func (s *schema) unknown(r *report, f *node, prefix string) string {
	if f.kind == unstable.Invalid {
		return ""
	}
	if k := serviceSchema().named[prefix+f.name]; k != nil && k.once {
		r.errorf(f.key, "%s has no key %s", s.table, quoted(prefix+f.name)).
			instead("write it in the service that uses the template")
		return ""
	}
	a := r.errorf(f.key, "%s has no key %s", s.table, quoted(prefix+f.name))
	if prefix == "" && f.name == includeKey.name {
		a.instead("write it above the first table of the file")
		return ""
	}
	if meant := s.meant(r, f.name, prefix); meant != "" {
		a.instead("write %s", meant)
		return meant
	}
	if prefix != "" {
		head := strings.TrimSuffix(prefix, ".")
		a.instead("%s has %s", head, listOf(s.group[head], "and"))
		return ""
	}
	if len(s.names) > namesShownMax {
		a.instead("leave it out; docs/config.md has all keys")
		return ""
	}
	a.instead("its keys are %s", listOf(s.names, "and"))
	return ""
}

// namesShownMax is how many names of keys a diagnostic lists.
const namesShownMax = 12

// meant is the key that was probably meant: known by this name elsewhere, or
// written almost like it.
func (s *schema) meant(r *report, name, prefix string) string {
	lower := strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	for _, k := range s.keys {
		for _, other := range k.also {
			if lower == other && (prefix == "" || strings.HasPrefix(k.name, prefix)) {
				return s.asWritten(k.name, prefix)
			}
		}
	}
	if prefix != "" {
		if near := r.closest(name, s.group[strings.TrimSuffix(prefix, ".")]); near != "" {
			return near
		}
		if s.named[name] != nil {
			return name + " outside of " + strings.TrimSuffix(prefix, ".")
		}
		return ""
	}
	full := make([]string, 0, len(s.keys))
	for _, k := range s.keys {
		if lastPart(k.name) == lower {
			full = append(full, s.asWritten(k.name, prefix))
		}
	}
	if len(full) > 0 {
		sort.Strings(full)
		return listOf(full, "or")
	}
	if near := r.closest(lower, s.names); near != "" {
		return s.asWritten(near, prefix)
	}
	return ""
}

// asWritten shows where a nested key goes.
func (s *schema) asWritten(name, prefix string) string {
	if k := s.named[name]; k != nil && strings.Contains(name, ".") && prefix == "" {
		head, tail, _ := strings.Cut(name, ".")
		return head + " = { " + tail + " = " + k.shown() + " }"
	}
	return strings.TrimPrefix(name, prefix)
}
