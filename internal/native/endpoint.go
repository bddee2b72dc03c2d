package native

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/plan"
)

// scheme is one way to write an address. The manual lists them from here.
type scheme struct {
	name    string
	network plan.Network
	form    string // what stands behind ://
	params  []string
	doc     string
}

var schemes = []scheme{
	{"tcp", plan.NetTCP, "ADDRESS:PORT", []string{"backlog", "name", "v6only"}, "Stream over TCP. ADDRESS is an IP address, IPv6 in brackets; without it: every address of both families."},
	{"udp", plan.NetUDP, "ADDRESS:PORT", []string{"name", "v6only"}, "Datagrams over UDP."},
	{"unix", plan.NetUnix, "/PATH or @NAME", []string{"backlog", "group", "mode", "name", "owner"}, "Stream over a unix-domain socket; @NAME is an abstract one, without a file."},
	{"unixgram", plan.NetUnixgram, "/PATH or @NAME", []string{"group", "mode", "name", "owner"}, "Datagrams over a unix-domain socket."},
	{"fifo", plan.NetFifo, "/PATH", []string{"group", "mode", "name", "owner"}, "A named pipe."},
	{"vsock", plan.NetVsock, "CID:PORT", []string{"backlog", "name"}, "Stream between virtual machines, vsock(7); without CID: every one."},
}

// params are what may follow an address behind "?", joined by "&".
var params = []struct{ name, preset, doc string }{
	{"mode", "0666, 0622 for fifo", "permission bits of the socket's file"},
	{"owner", "brood's own", "user that the file belongs to; needs root"},
	{"group", "brood's own", "group that the file belongs to"},
	{"backlog", "4096", "most clients in the accept queue; the kernel caps it at net.core.somaxconn"},
	{"name", "the service's name", "what LISTEN_FDNAMES calls it"},
	{"v6only", "true for [::], else false", "whether an IPv6 socket leaves IPv4 alone"},
}

const (
	backlogPreset  = 4096
	backlogMax     = 1 << 20
	modePreset     = 0o666
	fifoModePreset = 0o622
	sunPathMax     = 107        // sun_path of unix(7), less its NUL
	anyCID         = 0xffffffff // VMADDR_CID_ANY of vsock(7)
)

// addressFault is what is wrong with an address: a stretch of its text, and
// the two halves of the diagnostic.
type addressFault struct {
	from, to      int
	what, instead string
}

// address is a parsed listen address; owner and group are yet to be looked up.
type address struct {
	plan.Endpoint
	name         string
	owner, group string
}

// addressParser holds the text while its faults are collected.
type addressParser struct {
	text   string
	faults []addressFault
	out    address
}

func (p *addressParser) fault(from, to int, what, instead string) {
	p.faults = append(p.faults, addressFault{from, to, what, instead})
}

// parseAddress reads one address, such as "unix:///run/web.sock?mode=0660".
func parseAddress(text string) (address, []addressFault) {
	p := &addressParser{text: text}
	p.out.UID, p.out.GID = -1, -1
	name, rest, ok := strings.Cut(text, "://")
	if !ok {
		p.fault(0, len(text), quoted(text)+" is no address", "write "+quoted(guessAddress(text)))
		return p.out, p.faults
	}
	s := findScheme(name)
	if s == nil {
		p.fault(0, len(name), quoted(name)+" is no kind of address", schemeAdvice(name, rest))
		return p.out, p.faults
	}
	at := len(name) + len("://")
	place, query, asked := strings.Cut(rest, "?")
	p.out.Network = s.network
	switch s.network {
	case plan.NetTCP, plan.NetUDP:
		p.host(place, at)
	case plan.NetVsock:
		p.vsock(place, at)
	default:
		p.path(s, place, at)
	}
	p.presets()
	if asked {
		p.params(s, query, at+len(place)+1)
	}
	return p.out, p.faults
}

func findScheme(name string) *scheme {
	for i := range schemes {
		if schemes[i].name == name {
			return &schemes[i]
		}
	}
	return nil
}

func schemeAdvice(name, rest string) string {
	switch strings.ToLower(name) {
	case "http", "https", "tcp4", "tcp6", "inet", "ws":
		return "write " + quoted("tcp://"+rest)
	case "file", "local", "unix-stream":
		return "write " + quoted("unix://"+rest)
	case "unix-dgram", "unixdgram":
		return "write " + quoted("unixgram://"+rest)
	}
	names := make([]string, len(schemes))
	for i, s := range schemes {
		names[i] = s.name
	}
	return "write one of " + listOf(names, "and")
}

// guessAddress is what an address without :// was most likely meant to be.
func guessAddress(text string) string {
	for _, s := range schemes {
		if rest, ok := strings.CutPrefix(text, s.name+":"); ok {
			if rest = strings.TrimLeft(rest, "/"); s.form[0] == '/' && !strings.HasPrefix(rest, "@") {
				rest = "/" + rest
			}
			return s.name + "://" + rest
		}
	}
	switch {
	case strings.HasPrefix(text, "/"), strings.HasPrefix(text, "@"):
		return "unix://" + text
	case leading(text, "0123456789") == text && text != "":
		return "tcp://127.0.0.1:" + text
	case strings.Contains(text, ":"):
		return "tcp://" + strings.TrimPrefix(text, "*")
	}
	return "tcp://127.0.0.1:8080"
}

// host reads ADDRESS:PORT.
func (p *addressParser) host(place string, at int) {
	colon := strings.LastIndexByte(place, ':')
	if colon < 0 || strings.HasSuffix(place, "]") {
		p.fault(at, at+len(place), quoted(place)+" has no port", "write ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080")
		return
	}
	host := place[:colon]
	p.out.Port = p.port(place[colon+1:], at+colon+1, 65535)
	switch {
	case host == "":
		return
	case host == "*":
		p.fault(at, at+1, "* is not how every address is written", "leave it out: "+quoted(p.text[:at]+place[colon:]))
		return
	}
	inner, bracket := strings.CutPrefix(host, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	ip, err := netip.ParseAddr(inner)
	switch {
	case err != nil:
		p.fault(at, at+colon, quoted(host)+" is no IP address", hostAdvice(host))
	case ip.Is6() && !(bracket && closed):
		p.fault(at, at+colon, "an IPv6 address without brackets", "write ["+ip.String()+"]"+place[colon:])
	case ip.Is4() && (bracket || closed):
		p.fault(at, at+colon, "brackets around an IPv4 address", "write "+ip.String()+place[colon:])
	case ip.Is4In6():
		p.fault(at, at+colon, "an IPv4 address in IPv6 dress", "write "+ip.Unmap().String()+place[colon:])
	default:
		p.out.Addr = ip.String()
		p.out.V6Only = ip.Is6() && ip.IsUnspecified()
	}
}

func hostAdvice(host string) string {
	if host == "localhost" {
		return "write 127.0.0.1, or [::1], or one address of each"
	}
	return "names are not looked up: write the address itself"
}

func (p *addressParser) port(text string, at int, most uint64) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	switch {
	case text == "" || err != nil || leading(text, "0123456789") != text:
		p.fault(at, at+len(text), quoted(text)+" is no port", fmt.Sprintf("write a number from 1 to %d", most))
	case n == 0:
		p.fault(at, at+len(text), "port 0 has the kernel choose one, which no client would know", "write the port")
	case n > most:
		p.fault(at, at+len(text), "there is no port "+text, fmt.Sprintf("write a number from 1 to %d", most))
	}
	return uint32(n)
}

// vsock reads CID:PORT.
func (p *addressParser) vsock(place string, at int) {
	cid, port, ok := strings.Cut(place, ":")
	if !ok {
		p.fault(at, at+len(place), quoted(place)+" has no port", "write CID:PORT, such as vsock://:5000")
		return
	}
	p.out.Port = p.port(port, at+len(cid)+1, anyCID-1)
	n := uint64(anyCID)
	if cid != "" {
		var err error
		if n, err = strconv.ParseUint(cid, 10, 32); err != nil {
			p.fault(at, at+len(cid), quoted(cid)+" is no context id", "write a number, or nothing for every one")
		}
	}
	p.out.Addr = strconv.FormatUint(n, 10)
}

// path reads the path of a file or an abstract name.
func (p *addressParser) path(s *scheme, place string, at int) {
	end := at + len(place)
	switch {
	case strings.HasPrefix(place, "@") && s.network == plan.NetFifo:
		p.fault(at, end, "a fifo has no abstract name", "write fifo:///PATH")
	case strings.HasPrefix(place, "@"):
		p.out.Path = place
	case !strings.HasPrefix(place, "/"):
		p.fault(at, end, quoted(place)+" is no absolute path", "write "+s.name+":///"+place+" with three slashes, or "+s.name+"://{runtime}/"+place)
		return
	default:
		p.out.Path = path.Clean(place)
	}
	switch {
	case place == "@" || p.out.Path == "/" || strings.HasSuffix(place, "/"):
		p.fault(at, end, quoted(place)+" names no file", "write the whole path, such as /run/web.sock")
	case len(p.out.Path) > sunPathMax && s.network != plan.NetFifo:
		p.fault(at, end, fmt.Sprintf("the path is %d bytes long, and a socket's may have %d", len(p.out.Path), sunPathMax), "write a shorter one")
	case strings.IndexByte(place, 0) >= 0:
		p.fault(at, end, "the path holds a NUL character", "leave it out")
	}
}

func (p *addressParser) presets() {
	switch p.out.Network {
	case plan.NetTCP, plan.NetVsock:
		p.out.Backlog = backlogPreset
	case plan.NetUnix:
		p.out.Backlog, p.out.Mode = backlogPreset, modePreset
	case plan.NetUnixgram:
		p.out.Mode = modePreset
	case plan.NetFifo:
		p.out.Mode = fifoModePreset
	}
	if p.abstract() {
		p.out.Mode = 0
	}
}

func (p *addressParser) abstract() bool { return strings.HasPrefix(p.out.Path, "@") }

// params reads "mode=0660&group=www-data".
func (p *addressParser) params(s *scheme, query string, at int) {
	seen := make(map[string]bool)
	for _, pair := range strings.Split(query, "&") {
		end := at + len(pair)
		name, raw, ok := strings.Cut(pair, "=")
		text, err := url.QueryUnescape(raw)
		switch {
		case !ok || err != nil || text == "":
			p.fault(at, end, quoted(pair)+" is no name=value", "write "+listOf(s.params, "or")+", = and the value")
		case !has(s.params, name):
			p.fault(at, at+len(name), s.name+" addresses have no "+quoted(name), "they have "+listOf(s.params, "and"))
		case seen[name]:
			p.fault(at, end, name+" is written twice", "leave one out")
		case p.abstract() && (name == "mode" || name == "owner" || name == "group"):
			p.fault(at, end, "an abstract socket has no file, so it has no "+name, "leave it out, or write a path")
		default:
			p.param(name, text, at+len(name)+1, end)
		}
		seen[name] = true
		at = end + 1
	}
}

func has(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

func (p *addressParser) param(name, text string, at, end int) {
	switch name {
	case "mode":
		mode, err := parseMode(text)
		if err != nil || mode > 0o777 {
			p.fault(at, end, quoted(text)+" is no mode", "write an octal number from 0000 to 0777, such as mode=0660")
		}
		p.out.Mode = mode
	case "owner":
		p.out.owner = text
	case "group":
		p.out.group = text
	case "backlog":
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > backlogMax {
			p.fault(at, end, quoted(text)+" is no length of a queue", fmt.Sprintf("write a number from 1 to %d", backlogMax))
		}
		p.out.Backlog = n
	case "name":
		if !goodName(text) {
			p.fault(at, end, quoted(text)+" is no name for a socket", "write "+nameRule)
		}
		p.out.name = text
	case "v6only":
		if text != "true" && text != "false" {
			p.fault(at, end, quoted(text)+" is neither true nor false", "write v6only=true or v6only=false")
		}
		if !strings.Contains(p.out.Addr, ":") && p.out.Addr != "" {
			p.fault(at, end, "v6only at an IPv4 address", "leave it out")
		}
		p.out.V6Only = text == "true"
	}
}

// isStream tells whether clients of an endpoint connect.
func isStream(n plan.Network) bool {
	return n == plan.NetTCP || n == plan.NetUnix || n == plan.NetVsock
}
