package mastercf

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/plan"
)

// resolver turns names into addresses and ports, each distinct one once.
type resolver struct {
	lookups Lookups
	v4, v6  bool
	known   map[string]string // known_tcp_ports
	hosts   map[string][]netip.Addr
	ports   map[string]uint32
	places  map[string]place
}

// place is where services with a certain host listen, made once for all of
// them.
type place struct {
	addrs []addressText
	local bool   // only this machine can reach it
	name  string // the host as Postfix's books have it, with a colon
}

func newResolver(lookups Lookups) resolver {
	return resolver{
		lookups: lookups, hosts: map[string][]netip.Addr{}, ports: map[string]uint32{}, places: map[string]place{},
	}
}

// place is where a service listens that names a host.
func (r *resolver) place(host string) place {
	if p, ok := r.places[host]; ok {
		return p
	}
	addrs := texts(r.host(host))
	p := place{addrs: addrs, local: allLocal(addrs), name: "[" + host + "]:"}
	if addr, ok := parseAddr(host); ok {
		p.name = "[" + addr.String() + "]:"
	}
	r.places[host] = p
	return p
}

var errNoPort = errors.New("no such port")

// host resolves a host name or address into the addresses of the enabled
// protocols, in the order in which children receive them. It is empty when
// there are none.
func (r *resolver) host(name string) []netip.Addr {
	if addrs, ok := r.hosts[name]; ok {
		return addrs
	}
	var addrs []netip.Addr
	if addr, ok := parseAddr(name); ok {
		addrs = []netip.Addr{addr}
	} else if found, err := r.lookups.Host(name); err == nil {
		addrs = found
	}
	addrs = r.enabled(addrs)
	r.hosts[name] = addrs
	return addrs
}

// enabled keeps the addresses of the enabled protocols, sorts them IPv4 first
// and then by value, and leaves each in once.
func (r *resolver) enabled(addrs []netip.Addr) []netip.Addr {
	kept := make([]netip.Addr, 0, len(addrs))
	for _, a := range addrs {
		if a.Is4() && r.v4 || a.Is6() && r.v6 {
			kept = append(kept, a)
		}
	}
	slices.SortFunc(kept, netip.Addr.Compare)
	return slices.Compact(kept)
}

// port gives the number of a port: a number, a known_tcp_ports name, or one
// that services(5) knows. Numbers wrap at 65536, as the C library has them.
func (r *resolver) port(name string) (uint32, error) {
	if n, ok := r.ports[name]; ok {
		return n, nil
	}
	text := name
	if known, ok := r.known[name]; ok && !allDigits(name) {
		text = known
	}
	var n uint64
	if allDigits(text) {
		var err error
		if n, err = strconv.ParseUint(text, 10, 63); err != nil {
			return 0, errNoPort
		}
	} else {
		found, err := r.lookups.Port(text)
		if err != nil || found < 0 {
			return 0, errNoPort
		}
		n = uint64(found)
	}
	r.ports[name] = uint32(n % 65536)
	return r.ports[name], nil
}

// parseAddr reads an IP address, with or without the "ipv6:" that mail
// addresses put before one.
func parseAddr(s string) (netip.Addr, bool) {
	if len(s) > 5 && strings.EqualFold(s[:5], "ipv6:") {
		a, err := netip.ParseAddr(s[5:])
		return a, err == nil && a.Is6()
	}
	a, err := netip.ParseAddr(s)
	return a, err == nil
}

// splitHostPort cuts an inet service name: "port", "host:port", ":port" or
// "[host]:port". The fault is in Postfix's words.
func splitHostPort(s string) (host, port, fault string) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", "missing \"]\""
		}
		host, port = s[1:end], s[end+1:]
		if port != "" && port[0] != ':' {
			return "", "", "garbage after \"]\""
		}
		port = strings.TrimPrefix(port, ":")
		if port != "" && host == "" {
			return "", "", "valid hostname or network address required"
		}
	} else if colon := strings.LastIndexByte(s, ':'); colon >= 0 {
		host, port = s[:colon], s[colon+1:]
	} else {
		port = s
	}
	switch {
	case port == "":
		return "", "", "missing service information"
	case host != "" && !validHost(host):
		return "", "", "valid hostname or network address required"
	case port[0] >= '0' && port[0] <= '9' && !allDigits(port):
		return "", "", "garbage after numerical service"
	}
	return host, port, ""
}

// validHost tells whether s may be a host name or is an address.
func validHost(s string) bool {
	if _, ok := parseAddr(s); ok {
		return true
	}
	if s == "" || len(s) > 255 || strings.Trim(s, "0123456789.") == "" {
		return false
	}
	for _, label := range strings.Split(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if nameLength(strings.ReplaceAll(label, "-", "_")) != len(label) {
			return false
		}
	}
	return true
}

// parseProtocols reads inet_protocols; bad is the first word that it does not
// know.
func parseProtocols(value string) (v4, v6 bool, bad string) {
	for _, word := range splitList(value) {
		switch strings.ToLower(word) {
		case "all":
			v4, v6 = true, true
		case "ipv4":
			v4 = true
		case "ipv6":
			v6 = true
		default:
			return false, false, word
		}
	}
	return v4, v6, ""
}

// parseKnownPorts reads known_tcp_ports: NAME=PORT, NAME=OTHER=PORT, separated
// by commas. An entry that makes no sense is told and left out.
func (l *loader) parseKnownPorts(value string) map[string]string {
	known := map[string]string{}
	for _, entry := range strings.Split(value, ",") {
		if strings.Trim(entry, spaces) == "" {
			continue
		}
		names, fault := knownPort(entry)
		if fault != "" {
			l.add(plan.Warning, l.params.Pos("known_tcp_ports"), 0,
				fmt.Sprintf("an entry of known_tcp_ports makes no sense and is ignored: %s%s", quote(entry), fault),
				"write name=number",
				fmt.Sprintf("known_tcp_ports: in \"%s\"%s", entry, fault))
			continue
		}
		for _, name := range names[:len(names)-1] {
			known[name] = names[len(names)-1]
		}
	}
	return known
}

// knownPort cuts one entry into its names and, last, the port. The fault is in
// Postfix's words, as they follow the entry.
func knownPort(entry string) (words []string, fault string) {
	words = strings.Split(entry, "=")
	for i := range words {
		words[i] = strings.Trim(words[i], spaces)
	}
	port, names := words[len(words)-1], words[:len(words)-1]
	switch {
	case len(names) == 0:
		return nil, " is not in \"name = value\" form"
	case port == "":
		return nil, ": missing port value after \"=\""
	case strings.ContainsAny(port, spaces):
		return nil, ": whitespace in port number"
	case !allDigits(port):
		return nil, ": non-numerical service port"
	}
	for _, name := range names {
		if name == "" {
			return nil, ": missing service name before \"=\""
		}
		if strings.ContainsAny(name, spaces) {
			return nil, ": whitespace in service name"
		}
	}
	return words, ""
}
