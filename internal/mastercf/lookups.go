package mastercf

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"time"
)

// Lookups are the questions that a configuration asks of the machine. Each
// distinct host, port or user is asked for once in a Load. A nil function is
// the system's own.
type Lookups struct {
	// Host gives the addresses of a host name.
	Host func(name string) ([]netip.Addr, error)
	// Port gives the number of a TCP service of services(5).
	Port func(name string) (int, error)
	// User gives the ids of a user.
	User func(name string) (uid, gid int, err error)
	// Interfaces gives the addresses of the machine's network interfaces.
	Interfaces func() ([]netip.Addr, error)
	// Hostname is the name of the machine.
	Hostname func() (string, error)
	// IPv6 tells whether the kernel speaks IPv6 at all.
	IPv6 func() bool
}

// hostTimeout bounds how long a name server may hold up a start or a reload.
const hostTimeout = 30 * time.Second

func (k Lookups) orSystem() Lookups {
	if k.Host == nil {
		k.Host = systemHost
	}
	if k.Port == nil {
		k.Port = func(name string) (int, error) { return net.LookupPort("tcp", name) }
	}
	if k.User == nil {
		k.User = systemUser
	}
	if k.Interfaces == nil {
		k.Interfaces = systemInterfaces
	}
	if k.Hostname == nil {
		k.Hostname = os.Hostname
	}
	if k.IPv6 == nil {
		k.IPv6 = systemIPv6
	}
	return k
}

func systemHost(name string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(context.Background(), hostTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, err
}

func systemUser(name string) (uid, gid int, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, err
	}
	uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		return 0, 0, fmt.Errorf("cannot read user id of %s: %w", name, err)
	}
	gid, err = strconv.Atoi(u.Gid)
	if err != nil {
		return 0, 0, fmt.Errorf("cannot read group id of %s: %w", name, err)
	}
	return uid, gid, nil
}

func systemInterfaces() ([]netip.Addr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("cannot list network interfaces: %w", err)
	}
	var addrs []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		own, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("cannot list addresses of interface %s: %w", i.Name, err)
		}
		for _, a := range own {
			prefix, err := netip.ParsePrefix(a.String())
			if err != nil {
				continue // no IP address
			}
			addr := prefix.Addr().Unmap()
			if addr.IsLinkLocalUnicast() && addr.Is6() {
				addr = addr.WithZone(i.Name)
			}
			addrs = append(addrs, addr)
		}
	}
	return addrs, nil
}

// systemIPv6 looks for the list of addresses that the kernel keeps only when
// it speaks IPv6 (Linux, net/ipv6/addrconf.c).
func systemIPv6() bool {
	_, err := os.Stat("/proc/net/if_inet6")
	return err == nil
}
