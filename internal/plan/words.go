package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/pool"
)

// The words for the absence of something, as they are written in brood.toml.
const (
	never = "never"
	unset = "not set"
)

// everyCID is the context id of a vsock address that is every one's:
// VMADDR_CID_ANY, see vsock(7).
const everyCID = "4294967295"

// String is an endpoint as brood.toml has it, without its options:
// tcp://127.0.0.1:80, tcp://:80 for every address, unix:///run/web.sock.
func (e Endpoint) String() string {
	scheme, port := networkWord(e.Network)+"://", ":"+strconv.FormatUint(uint64(e.Port), 10)
	switch {
	case e.Path != "":
		return scheme + e.Path
	case e.Network == NetVsock && e.Addr == everyCID:
		return scheme + port
	case strings.Contains(e.Addr, ":"):
		return scheme + "[" + e.Addr + "]" + port
	}
	return scheme + e.Addr + port
}

// attributes are what an endpoint has beside its address.
func attributes(e Endpoint) string {
	parts := []string{"backlog=" + strconv.Itoa(e.Backlog)}
	if e.Path != "" {
		parts = append(parts, "mode="+octal(e.Mode), "owner="+id(e.UID), "group="+id(e.GID))
		if e.AsOwner {
			parts = append(parts, "made by its owner")
		}
	} else {
		parts = append(parts, "v6only="+flag(e.V6Only))
	}
	return strings.Join(parts, " ")
}

func networkWord(n Network) string {
	switch n { //exhaustive:enforce
	case NetTCP:
		return "tcp"
	case NetUDP:
		return "udp"
	case NetUnix:
		return "unix"
	case NetUnixgram:
		return "unixgram"
	case NetFifo:
		return "fifo"
	case NetVsock:
		return "vsock"
	}
	return "unknown"
}

func protocolWord(p Protocol) string {
	switch p { //exhaustive:enforce
	case ProtocolPostfix:
		return "postfix"
	case ProtocolSystemd:
		return "systemd"
	case ProtocolFastCGI:
		return "fastcgi"
	case ProtocolInetd:
		return "inetd"
	case ProtocolNone:
		return "none"
	}
	return "unknown"
}

// String is the protocol as brood.toml has it.
func (p Protocol) String() string { return protocolWord(p) }

// String is what brood.toml says under on_give_up.
func (g GiveUp) String() string { return giveUpWord(g) }

func giveUpWord(g GiveUp) string {
	switch g { //exhaustive:enforce
	case GiveUpRetry:
		return "retry"
	case GiveUpHold:
		return "hold"
	case GiveUpClose:
		return "close"
	case GiveUpExit:
		return "exit"
	}
	return unset
}

func orphanWord(signal int) string {
	if signal == 0 {
		return "stay"
	}
	return "stop with " + signalWord(signal)
}

func formatWord(json bool) string {
	if json {
		return "json"
	}
	return "text"
}

func pipeWord(ignored bool) string {
	if ignored {
		return "ignored"
	}
	return "not ignored"
}

func stressWord(p *pool.Policy) string {
	switch {
	case p.Stress && p.StressKeep:
		return "environment"
	case p.Stress:
		return "restart"
	case p.StressKeep:
		return "off (environment)"
	}
	return "off"
}

// every is the time between two wake-ups.
func every(p *pool.Policy) string {
	text := span(p.Wakeup)
	if p.WakeupOnUse {
		text += "?"
	}
	return text
}

// words is a list as brood.toml has it.
func words(list []string) string {
	quoted := make([]string, len(list))
	for i, w := range list {
		quoted[i] = strconv.Quote(w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func count(n int, zero string) string {
	if n == 0 {
		return zero
	}
	return strconv.Itoa(n)
}

func flag(on bool) string { return strconv.FormatBool(on) }

func ratio(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func octal(mode uint32) string { return "0" + strconv.FormatUint(uint64(mode), 8) }

// id is a user's or a group's number; brood's own where there is none.
func id(n int) string {
	if n < 0 {
		return "brood's own"
	}
	return strconv.Itoa(n)
}

func ids(list []int) string {
	if list == nil {
		return "brood's own"
	}
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = strconv.Itoa(n)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// span is a time as brood.toml has it, such as 1h30m.
func span(d pool.Duration) string {
	if d <= 0 {
		return never
	}
	var b strings.Builder
	for _, u := range [...]struct {
		name string
		long pool.Duration
	}{
		{"d", 86400 * pool.Second},
		{"h", 3600 * pool.Second},
		{"m", 60 * pool.Second},
		{"s", pool.Second},
		{"ms", pool.Millisecond},
		{"ns", 1},
	} {
		if n := d / u.long; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + u.name)
			d -= n * u.long
		}
	}
	return b.String()
}

// size is a number of bytes as brood.toml has it.
func size(n int64) string {
	if n <= 0 {
		return never
	}
	letter := ""
	for _, l := range []string{"K", "M", "G", "T"} {
		if n%1024 != 0 {
			break
		}
		n, letter = n/1024, l
	}
	return strconv.FormatInt(n, 10) + letter
}

// resourceNames are the resources of prlimit(2) that can be limited, by their
// RLIMIT_ numbers on Linux; resources that nobody should limit have none.
var resourceNames = [...]string{
	0: "cpu", 1: "fsize", 2: "data", 3: "stack", 4: "core", 6: "nproc", 7: "nofile", 8: "memlock", 9: "as",
	11: "sigpending", 12: "msgqueue", 13: "nice", 14: "rtprio",
}

// ResourceName is what brood.toml calls a resource, or its number.
func ResourceName(resource int) string {
	if resource >= 0 && resource < len(resourceNames) && resourceNames[resource] != "" {
		return resourceNames[resource]
	}
	return strconv.Itoa(resource)
}

// limitIn is the limit of a resource in a list.
func limitIn(list []Limit, resource int) string {
	i := slices.IndexFunc(list, func(l Limit) bool { return l.Resource == resource })
	if i < 0 {
		return unset
	}
	soft, hard := bound(list[i].Soft), bound(list[i].Hard)
	if soft == hard {
		return soft
	}
	return soft + ":" + hard
}

func bound(n uint64) string {
	if n == ^uint64(0) {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}

// signalWords are the signals by which programs are stopped, see signal(7).
var signalWords = map[int]string{1: "HUP", 2: "INT", 3: "QUIT", 9: "KILL", 10: "USR1", 12: "USR2", 15: "TERM", 28: "WINCH"}

func signalWord(n int) string {
	if word := signalWords[n]; word != "" {
		return word
	}
	if n == 0 {
		return unset
	}
	return strconv.Itoa(n)
}
