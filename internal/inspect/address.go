package inspect

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// addresses looks for who has the addresses of a service that does not listen,
// or whose program found one taken.
func (in *inspection) addresses() {
	why := in.service.MissingWhy
	if d := in.service.Failure; d != nil {
		why += "\n" + strings.Join(d.Words, "\n")
	}
	if !strings.Contains(strings.ToLower(why), "in use") && !strings.Contains(why, "no such file or directory") {
		return
	}
	wanted := portsIn(why)
	var own []uint16 // where brood listens for this service
	for _, a := range in.service.Listen {
		in.socketDirectory(a.Address)
		own = append(own, portsIn(a.Address)...)
	}
	wanted = append(wanted, own...)
	if in.service.Missing {
		own = nil
	}
	if !strings.Contains(strings.ToLower(why), "in use") {
		return
	}
	slices.Sort(wanted)
	for _, port := range slices.Compact(wanted) {
		in.holders(port, slices.Contains(own, port))
	}
}

// addressPort is an address as messages have it, or a port that is called one;
// neither the time of day nor a place in a program, such as net.js:1463:16.
var addressPort = regexp.MustCompile(`(?:(?:\d+(?:\.\d+){3}|\[[0-9a-fA-F:.]*\]|::|//|\*|\blocalhost|^|[\s("'=]):|\bport\b[ :=]+|', )(\d{1,5})\b`)

// portsIn are the ports that a text names.
func portsIn(text string) []uint16 {
	var all []uint16
	for _, m := range addressPort.FindAllStringSubmatch(text, -1) {
		if n, err := strconv.ParseUint(m[1], 10, 16); err == nil && n > 0 {
			all = append(all, uint16(n))
		}
	}
	return all
}

// socketDirectory looks at the directory of a unix-domain socket.
func (in *inspection) socketDirectory(address string) {
	path, ok := strings.CutPrefix(address, "unix://")
	if !ok || !strings.HasPrefix(path, "/") {
		return
	}
	if dir := filepath.Dir(path); !exists(dir) {
		in.wrong("directory", "The directory "+dir+" of its socket does not exist.", "Make it: mkdir -p "+dir+".")
	}
}

// holders names those that listen at a port; own tells that brood does, for this
// service.
func (in *inspection) holders(port uint16, own bool) {
	sockets := map[string]string{}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		listening(readText("/proc/net/"+table), port, sockets)
	}
	if len(sockets) == 0 {
		in.note("port", fmt.Sprintf("Nobody has port %d now.", port))
		return
	}
	brood := "/proc/" + strconv.Itoa(int(in.picture.PID)) + "/"
	named := map[string]bool{}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		to, err := os.Readlink(link)
		address, ok := sockets[to]
		if err != nil || !ok || strings.HasPrefix(link, brood) {
			continue
		}
		pid := strings.Split(link, "/")[2]
		name := strings.TrimSpace(readText("/proc/" + pid + "/comm"))
		if text := fmt.Sprintf("%s is held by process %s (%s).", address, pid, name); !named[text] {
			named[text] = true
			in.wrong("port", text, "End process "+pid+" ("+name+"), or have one of the two listen elsewhere.")
		}
	}
	switch {
	case len(named) > 0:
	case own:
		in.wrong("port", fmt.Sprintf("Port %d is brood's own: it listens there for %s, and its workers get that socket ready made.", port, in.service.Name),
			"Have the program serve the socket that it is given, and bind none: "+given(in.service.Protocol)+".")
	default:
		in.note("port", fmt.Sprintf("Port %d is taken, and you may not see by whom: ask as root.", port))
	}
}

// given says where a worker of a protocol finds its socket.
func given(protocol string) string {
	switch protocol {
	case "systemd":
		return "its descriptors begin with 3, LISTEN_FDS tells how many"
	case "fastcgi", "inetd":
		return "it is descriptor 0"
	case "postfix":
		return "its descriptors begin with 6"
	}
	return "its descriptor is 3, or what fd says"
}

// States of sockets in /proc/net, see include/net/tcp_states.h of the kernel:
// listening ones of TCP, and those of UDP that have no peer.
const (
	tcpListen = "0A"
	udpOpen   = "07"
)

// listening adds the sockets of a table of /proc/net that listen at a port.
func listening(table string, port uint16, sockets map[string]string) {
	for row := range strings.Lines(table) {
		f := strings.Fields(row)
		if len(f) < 10 || f[3] != tcpListen && f[3] != udpOpen {
			continue
		}
		at, ok := parseAddress(f[1])
		if ok && at.Port() == port {
			sockets["socket:["+f[9]+"]"] = at.String()
		}
	}
}

// parseAddress reads one of /proc/net: words of 32 bits in the machine's order,
// in hexadecimal, and the port.
func parseAddress(text string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(host)
	n, e := strconv.ParseUint(port, 16, 16)
	if err != nil || e != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i+4 <= len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	addr, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), ok
}
