package mastercf

import "strings"

// disabled tells which services master_service_disable turns off. A pattern is
// TYPE or NAME/TYPE, without regard to case; "!" in front of it makes a match
// mean the opposite; the first pattern that matches decides.
type disabled []disablePattern

type disablePattern struct {
	text string
	not  bool
}

// parseDisabled splits the value of master_service_disable. NAME.TYPE is the
// old way to write NAME/TYPE.
func parseDisabled(value string) disabled {
	var patterns disabled
	for _, word := range splitList(value) {
		p := disablePattern{text: word}
		for strings.HasPrefix(p.text, "!") {
			p.text, p.not = p.text[1:], !p.not
		}
		if dot := strings.LastIndexByte(p.text, '.'); dot >= 0 && !strings.Contains(p.text, "/") {
			p.text = p.text[:dot] + "/" + p.text[dot+1:]
		}
		patterns = append(patterns, p)
	}
	return patterns
}

func (d disabled) matches(name, transport string) bool {
	for _, p := range d {
		subject := transport
		if strings.Contains(p.text, "/") {
			subject = name + "/" + transport
		}
		if strings.EqualFold(p.text, subject) {
			return !p.not
		}
	}
	return false
}

// splitList cuts a list at commas and white space.
func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r < 0x80 && isSpace(byte(r)) })
}
