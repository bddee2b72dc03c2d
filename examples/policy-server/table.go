package main

import (
	"fmt"
	"os"
	"strings"
)

// table has an action of access(5) for an address, a domain or a client
// address.
type table map[string]string

// readTable reads lines "KEY ACTION"; empty lines and those that start with
// "#" are skipped.
func readTable(path string) (table, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read policy table: %w", err)
	}
	t := table{}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, action, ok := strings.Cut(strings.Replace(line, "\t", " ", 1), " ")
		if !ok {
			return nil, fmt.Errorf("%s:%d: an action is missing; write KEY ACTION", path, number)
		}
		t[strings.ToLower(key)] = strings.TrimSpace(action)
	}
	return t, nil
}

// find looks up the most specific key first: sender and recipient with their
// domains, then the client's address.
func (t table) find(r request) (action string, ok bool) {
	for _, attribute := range []string{"sender", "recipient"} {
		address := strings.ToLower(r[attribute])
		if action, ok = t[address]; ok && address != "" {
			return action, true
		}
		if at := strings.LastIndexByte(address, '@'); at >= 0 {
			if action, ok = t[address[at+1:]]; ok {
				return action, true
			}
		}
	}
	action, ok = t[r["client_address"]]
	return action, ok
}
