package mastercf

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/brood-project/brood/internal/plan"
)

// addressText is an address to listen at, made into text once for all the
// services that use it.
type addressText struct {
	text   string
	v6only bool
	local  bool
}

// texts prepares addresses for endpoints.
func texts(addrs []netip.Addr) []addressText {
	out := make([]addressText, len(addrs))
	for i, a := range addrs {
		out[i] = addressText{text: a.String(), v6only: a.Is6(), local: a.IsLoopback()}
	}
	return out
}

// allLocal tells whether only this machine can reach the addresses.
func allLocal(addrs []addressText) bool {
	return !slices.ContainsFunc(addrs, func(a addressText) bool { return !a.local })
}

// network resolves inet_protocols and inet_interfaces: where services without
// a host of their own listen.
func (l *loader) network() {
	c := l.config
	c.InetProtocols = l.text("inet_protocols", 0)
	v4, v6, bad := parseProtocols(c.InetProtocols)
	if bad != "" {
		l.fail("inet_protocols", "unknown protocol "+quote(bad)+" in inet_protocols", "write all, ipv4 or ipv6",
			fmt.Sprintf("unknown inet_protocols value \"%s\" in \"%s\"", bad, c.InetProtocols))
		v4, v6 = true, true
	}
	c.IPv4, c.IPv6 = v4, v6 && l.options.Lookups.IPv6()
	l.resolver.v4, l.resolver.v6 = c.IPv4, c.IPv6
	l.resolver.known = l.parseKnownPorts(l.text("known_tcp_ports", 0))
	c.InetInterfaces = l.text("inet_interfaces", 0)
	if !c.IPv4 && !c.IPv6 {
		l.add(plan.Warning, l.params.Pos("inet_protocols"), 0,
			"inet_protocols leaves no protocol, so all inet services are off", "write all, ipv4 or ipv6",
			"all network protocols are disabled (inet_protocols = "+c.InetProtocols+
				")\ndisabling all type \"inet\" services in master.cf")
		return
	}
	addrs := texts(l.interfaces(c.InetInterfaces))
	l.own = place{addrs: addrs, local: allLocal(addrs)}
}

// interfaces gives the addresses that inet_interfaces names.
func (l *loader) interfaces(value string) []netip.Addr {
	if value == "all" {
		return l.resolver.enabled([]netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()})
	}
	own, err := l.options.Lookups.Interfaces()
	if err != nil {
		l.fail("inet_interfaces", err.Error(), "", "")
		return nil
	}
	if value == "loopback-only" {
		return l.resolver.enabled(slices.DeleteFunc(slices.Clone(own), func(a netip.Addr) bool { return !a.IsLoopback() }))
	}
	var addrs []netip.Addr
	for _, word := range splitList(value) {
		found := l.resolver.host(unbracket(word))
		if len(found) == 0 {
			l.fail("inet_interfaces", "host "+quote(word)+" has no address in the enabled protocols",
				"write all, loopback-only, or addresses of this machine",
				"config variable inet_interfaces: host not found: "+word)
		}
		addrs = append(addrs, found...)
	}
	for _, a := range addrs {
		if !isOwn(own, a) {
			l.fail("inet_interfaces", "no network interface of this machine has the address "+a.String(),
				"write all, loopback-only, or addresses of this machine",
				"parameter inet_interfaces: no local interface found for "+a.String())
		}
	}
	return l.resolver.enabled(addrs)
}

// isOwn tells whether an address is on an interface; a link-local one may be
// written without its interface.
func isOwn(own []netip.Addr, a netip.Addr) bool {
	return slices.ContainsFunc(own, func(o netip.Addr) bool { return o == a || o.WithZone("") == a })
}

func unbracket(s string) string {
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		return s[1 : len(s)-1]
	}
	return s
}
