package mastercf

import (
	"errors"
	"net/netip"
)

// fakeLookups is a machine with one Ethernet address, whose names are few.
func fakeLookups() Lookups {
	return Lookups{
		Host: func(name string) ([]netip.Addr, error) {
			if name == "localhost" {
				return []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("127.0.0.1")}, nil
			}
			return nil, errors.New("no such host")
		},
		Port: func(name string) (int, error) {
			if name == "http-alt" {
				return 8080, nil
			}
			return 0, errors.New("no such service")
		},
		User: func(name string) (uid, gid int, err error) {
			switch name {
			case "postfix":
				return 102, 105, nil
			case "root":
				return 0, 0, nil
			}
			return 0, 0, errors.New("no such user")
		},
		Interfaces: func() ([]netip.Addr, error) {
			return []netip.Addr{
				netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("192.0.2.2"),
				netip.MustParseAddr("fd00::2"), netip.MustParseAddr("fe80::1%eth0"),
			}, nil
		},
		Hostname: func() (string, error) { return "vm", nil },
		IPv6:     func() bool { return true },
	}
}
