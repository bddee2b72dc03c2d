package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// refuse makes an Error.
func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// requestFields are the names of all fields of a Request.
var requestFields = func() []string {
	var names []string
	for f := range reflect.TypeFor[Request]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}()

// parsed is one line, taken apart.
type parsed struct {
	req Request
	// names are the fields that the line has.
	names []string
	rule  *rule
	// wrong is why the line is refused, nil if it is a request.
	wrong *Error
	// lost tells that the line is no JSON object, so that whoever wrote it does
	// not speak this protocol, and what follows it means nothing.
	lost bool
}

// parse takes a line apart, its newline cut off. It accepts less than
// encoding/json does: no field twice, none that the request does not have,
// names as they are written, no null.
func parse(line []byte) *parsed {
	p := &parsed{}
	switch {
	case bytes.IndexByte(line, 0) >= 0:
		p.lose("the request has a NUL byte in it")
	case !utf8.Valid(line):
		p.lose("the request is not UTF-8")
	default:
		p.takeApart(line)
	}
	if p.wrong == nil {
		p.check()
	}
	return p
}

// lose refuses a line that is not in this protocol at all.
func (p *parsed) lose(format string, args ...any) {
	p.wrong, p.lost = refuse(BadRequest, format, args...), true
}

// blame refuses a line, if nothing before was wrong with it.
func (p *parsed) blame(code Code, format string, args ...any) {
	if p.wrong == nil {
		p.wrong = refuse(code, format, args...)
	}
}

// takeApart reads the object and fills in the request.
func (p *parsed) takeApart(line []byte) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		p.lose("a request is one JSON object in one line; this begins with %s", quote(string(line)))
		return
	}
	version := ""
	for d.More() {
		key, err := d.Token()
		if err != nil {
			p.lose("the request is not JSON: %v", err)
			return
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			p.lose("the request is not JSON: %v", err)
			return
		}
		name := key.(string) // a name is a string, or Token had failed
		if name == "v" {
			version = string(value)
		}
		p.field(name, value)
	}
	if !json.Valid(line) {
		p.lose("a request is one JSON object in one line; this one does not end as such")
		return
	}
	// A request in another version may look like anything; that it is in another
	// one is what matters then.
	if version != fmt.Sprint(Version) {
		p.wrong = refuse(BadRequest, `%s; this brood speaks "v": %d`, sayVersion(version), Version)
	}
}

func sayVersion(version string) string {
	if version == "" {
		return `the request has no "v"`
	}
	return fmt.Sprintf(`the request has "v": %s`, quote(version))
}

// field sets one field of the request.
func (p *parsed) field(name string, value json.RawMessage) {
	switch {
	case slices.Contains(p.names, name):
		p.blame(BadRequest, "the field %s is there twice", quote(name))
		return
	case !slices.Contains(requestFields, name):
		p.blame(BadRequest, "unknown field %s; a request has %s", quote(name), strings.Join(requestFields, ", "))
		return
	}
	p.names = append(p.names, name)
	if strings.ContainsRune("{[n", rune(value[0])) {
		p.blame(BadRequest, "the field %q is no plain value: %s", name, quote(string(value)))
		return
	}
	one := fmt.Appendf(nil, "{%q:%s}", name, value)
	if err := json.Unmarshal(one, &p.req); err != nil {
		p.blame(BadRequest, "the field %q cannot be %s; it is %s", name, quote(string(value)), kindOf(err))
	}
}

// kindOf says what a field is that could not be decoded.
func kindOf(err error) string {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return "something else"
	}
	switch wrong.Type.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Uint64:
		return "a whole number from 0 to 2^64-1"
	default:
		return "a whole number of at most 63 bits"
	}
}

// check refuses what is not a request that somebody may send.
func (p *parsed) check() {
	req := &p.req
	p.rule = ruleOf(req.Do)
	switch {
	case req.Do == "":
		p.blame(BadRequest, `the request has no "do"`)
		return
	case p.rule == nil:
		p.blame(UnknownRequest, "unknown request %s; there are %s", quote(string(req.Do)), listVerbs())
		return
	}
	for _, name := range p.names {
		if !p.rule.has(name) {
			p.blame(BadRequest, "%s has no field %q", req.Do, name)
		}
	}
	switch {
	case p.rule.about == aboutOne && req.Service == "":
		p.blame(BadRequest, `%s needs a "service"`, req.Do)
	case slices.Contains(p.names, "service") && req.Service == "":
		p.blame(BadRequest, `"service" is empty; leave it out for all services`)
	case len(req.Service) > serviceMost || strings.ContainsFunc(req.Service, unicode.IsControl):
		p.blame(BadRequest, "%s is no name of a service", quote(req.Service))
	case req.Do == VerbScale && req.Max == nil && req.Min == nil && req.Spare == nil:
		p.blame(BadRequest, `scale needs "max", "min" or "spare"`)
	case req.Deadline < 0:
		p.blame(BadRequest, "the deadline is %d ns ago", -req.Deadline)
	}
	for _, n := range []*int{req.Max, req.Min, req.Spare} {
		if n != nil && *n < 0 {
			p.blame(BadRequest, "there cannot be %d workers", *n)
		}
	}
}

// has tells whether a request may have the field.
func (r *rule) has(name string) bool {
	switch name {
	case "v", "id", "do":
		return true
	case "service":
		return r.about != aboutNone
	default:
		return slices.Contains(r.fields, name)
	}
}

func listVerbs() string {
	var words []string
	for _, r := range rules {
		words = append(words, string(r.do))
	}
	return strings.Join(words, ", ")
}

// quote shows what a client wrote: harmless in a terminal, and not all of it.
func quote(text string) string {
	const most = 40
	if len(text) > most {
		return fmt.Sprintf("%+q...", text[:most])
	}
	return fmt.Sprintf("%+q", text)
}
