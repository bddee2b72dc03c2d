package mastercf

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

var transports = map[string]plan.Transport{
	"inet": plan.Inet, "unix": plan.Unix, "fifo": plan.Fifo, "unix-dgram": plan.UnixDgram, "pass": plan.Pass,
}

// readMaster makes a service of each row of master.cf.
func (l *loader) readMaster() []*plan.Service {
	file := l.config.ConfigDir + "/master.cf"
	text, ok := l.readFile(file)
	if !ok {
		return nil
	}
	off := parseDisabled(l.text("master_service_disable", 0))
	if !l.config.IPv4 && !l.config.IPv6 {
		off = append(disabled{{text: "inet"}}, off...)
	}
	rows, diagnostics := parseMaster(file, text, off)
	l.list = append(l.list, diagnostics...)
	services := make([]*plan.Service, 0, len(rows))
	index := make(map[string]int, len(rows))
	l.empty(file, len(rows))
	for _, row := range rows {
		if l.hopeless(file, row.Pos().Line) {
			break
		}
		service := l.service(row)
		if service == nil {
			continue
		}
		if at, again := index[service.Key]; again {
			l.duplicate(services[at], service)
			services[at] = service
			continue
		}
		index[service.Key] = len(services)
		services = append(services, service)
	}
	return services
}

// empty refuses a reload by which a file without any row would end all
// services: it was cut short, by a full disk or an editor that is not done.
func (l *loader) empty(file string, rows int) {
	running := l.options.Running
	if rows > 0 || l.list.Failed() || running == nil || running.Plan == nil || len(running.Plan.Services) == 0 {
		return
	}
	l.add(plan.Error, plan.Pos{File: file}, 0, "no service is left, so that all would be ended",
		"put the rows back, or stop Postfix", "")
}

func (l *loader) duplicate(first, last *plan.Service) {
	l.add(plan.Warning, last.Pos, len(last.Name),
		fmt.Sprintf("service %s (%s) is already at line %d; the last row counts",
			quote(last.Name), last.Canonical, first.Pos.Line),
		"remove one of the two",
		fmt.Sprintf("duplicate master.cf entry for service \"%s\" (%s) -- using the last entry",
			first.Name, last.Canonical))
}

// service makes a service of one row; nil when it cannot be one, which is
// told.
func (l *loader) service(row *Row) *plan.Service {
	before := len(l.list)
	transport := transports[row.Transport]
	private := l.boolean(row, fieldPrivate, row.Private, "y")
	if transport == plan.Inet && private {
		row.bad(&l.notes, fieldPrivate, "an inet service cannot be private", "write n in the third column",
			"inet service cannot be private")
	}
	s := &plan.Service{
		Name: row.Name, Pos: row.Pos(), Transport: transport, Protocol: plan.ProtocolPostfix,
	}
	s.Policy = l.policy(row)
	remote := transport == plan.Pass
	if transport == plan.Inet {
		remote = l.inet(s, row)
	} else {
		l.below(s, row, private)
	}
	s.Policy.Stress = remote && s.Policy.Limit > 1
	s.Policy = l.shared(s.Policy)
	l.command(s, row)
	s.Key = row.Transport + ":" + s.Canonical
	if l.list[before:].Failed() {
		return nil
	}
	return s
}

func (l *loader) boolean(row *Row, field int, value, standard string) bool {
	if value == "-" {
		value = standard
	}
	if value != "y" && value != "n" {
		row.bad(&l.notes, field, fmt.Sprintf("bad %s field %s", fieldNames[field], quote(value)), "write y, n or -",
			fmt.Sprintf("field \"%s\": bad value: \"%s\"", fieldNames[field], value))
	}
	return value == "y"
}

// number reads a count: Postfix takes the digits that a field starts with and
// passes over the rest.
func (l *loader) number(row *Row, field int, value string, standard int) int {
	if value == "-" {
		return standard
	}
	digits := value[:len(value)-len(strings.TrimLeft(value, "0123456789"))]
	if digits == "" {
		row.bad(&l.notes, field, fmt.Sprintf("bad %s field %s", fieldNames[field], quote(value)), "write a whole number or -",
			fmt.Sprintf("field \"%s\": bad value: \"%s\"", fieldNames[field], value))
		return standard
	}
	rest := value[len(digits):]
	if rest != "" && (rest != "?" || field != fieldWakeup) {
		l.add(plan.Warning, row.pos(field), len(value),
			fmt.Sprintf("%s behind the number in the %s field is ignored", quote(rest), fieldNames[field]),
			"write "+digits, "")
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		l.add(plan.Warning, row.pos(field), len(value),
			fmt.Sprintf("%s in the %s field is too large, %d is used", digits, fieldNames[field], math.MaxInt32),
			"write a smaller number, or 0", "")
		return math.MaxInt32
	}
	return int(n)
}

// policy is how the pool of a row lives, until the next row is looked at.
func (l *loader) policy(row *Row) *pool.Policy {
	l.life = pool.Policy{
		Limit:       l.number(row, fieldMaxProc, row.MaxProc, l.config.DefaultProcessLimit),
		Throttle:    pool.Duration(l.config.ThrottleTime) * pool.Second,
		Wakeup:      pool.Duration(l.number(row, fieldWakeup, row.Wakeup, 0)) * pool.Second,
		WakeupOnUse: strings.HasSuffix(row.Wakeup, "?"),
		KillAfter:   StopSeconds * pool.Second,
		Ramp:        Ramp,
	}
	return &l.life
}

// shared is the policy of all services that live like this.
func (l *loader) shared(p *pool.Policy) *pool.Policy {
	same := l.policies[*p]
	if same == nil {
		if l.policies == nil {
			l.policies = map[pool.Policy]*pool.Policy{}
		}
		same = new(pool.Policy)
		*same = *p
		l.policies[*same] = same
	}
	return same
}

// backlog is what Postfix asks of listen(2).
func (l *loader) backlog(s *plan.Service) int {
	return max(s.Policy.Limit, l.config.DefaultProcessLimit)
}

// inet finds where an inet service listens; true when a remote client can
// reach it.
func (l *loader) inet(s *plan.Service, row *Row) bool {
	host, portName, fault := splitHostPort(row.Name)
	if fault != "" {
		row.bad(&l.notes, fieldName, "bad inet service name "+quote(row.Name), "write port, host:port or [address]:port",
			fmt.Sprintf("%s in \"%s\"", fault, row.Name))
		return false
	}
	where := l.own
	if host != "" {
		where = l.resolver.place(host)
	}
	switch {
	case len(where.addrs) > 0:
	case host != "":
		row.bad(&l.notes, fieldName, "host "+quote(host)+" has no address in the enabled protocols",
			"write an address, or see that the name resolves", "bad hostname or network address: "+row.Name)
		return false
	default:
		row.bad(&l.notes, fieldName, "inet_interfaces names no address, so there is nowhere to listen",
			"set inet_interfaces = all in main.cf", "no valid IP address found: "+row.Name)
		return false
	}
	port, err := l.resolver.port(portName)
	if err != nil {
		l.badPort(row, where.addrs[0].text, portName)
		return false
	}
	l.portRange(row, portName)
	s.Canonical = where.name + strconv.FormatUint(uint64(port), 10)
	backlog := l.backlog(s)
	s.Endpoints = make([]plan.Endpoint, len(where.addrs))
	for i, a := range where.addrs {
		s.Endpoints[i] = plan.Endpoint{
			Network: plan.NetTCP, Addr: a.text, Port: port, UID: -1, GID: -1, Backlog: backlog, V6Only: a.v6only,
		}
	}
	return !where.local
}

func (l *loader) badPort(row *Row, addr, port string) {
	l.add(plan.Error, row.pos(fieldName), 0, "unknown port "+quote(port),
		"write a number, or a name of services(5) or known_tcp_ports",
		addr+":"+port+": Servname not supported for ai_socktype")
}

// portRange warns of a port number that the C library cuts to 16 bits.
func (l *loader) portRange(row *Row, port string) {
	if n, err := strconv.ParseUint(port, 10, 63); err == nil && n > math.MaxUint16 {
		l.add(plan.Warning, row.pos(fieldName), 0,
			fmt.Sprintf("port %d is above 65535 and comes out as %d", n, n%65536), "write a smaller number", "")
	}
}

// below finds where a service below the queue directory listens.
func (l *loader) below(s *plan.Service, row *Row, private bool) {
	class := "public/"
	if private {
		class = "private/"
	}
	whole := l.config.QueueDir + "/" + class + row.Name
	s.Canonical = whole[len(whole)-len(class)-len(row.Name):]
	e := plan.Endpoint{
		Network: plan.NetUnix, Path: whole, Mode: 0o666,
		UID: l.config.MailOwner.UID, GID: l.config.MailOwner.GID, AsOwner: true, Backlog: l.backlog(s),
	}
	switch s.Transport {
	case plan.Fifo:
		e.Network, e.Mode = plan.NetFifo, 0o622
	case plan.UnixDgram:
		e.Network = plan.NetUnixgram
	}
	s.Endpoints = []plan.Endpoint{e}
}

// program is the path of a command, one string for all services that share it.
func (l *loader) program(command string) string {
	path, ok := l.programs[command]
	if !ok {
		path = l.config.DaemonDir + "/" + command
		if l.programs == nil {
			l.programs = map[string]string{}
		}
		l.programs[command] = path
	}
	return path
}

// command makes the argument vector, in the order that Postfix's daemons
// expect.
func (l *loader) command(s *plan.Service, row *Row) {
	unprivileged := l.boolean(row, fieldUnpriv, row.Unpriv, "y")
	chroot := l.boolean(row, fieldChroot, row.Chroot, l.chroot)
	if row.Chroot == "-" && chroot {
		l.add(plan.Warning, row.pos(fieldChroot), 1, "the chroot field defaults to y at this compatibility_level",
			"write y or n, or set compatibility_level = 3.6 in main.cf",
			fmt.Sprintf("%s: line %d: using backwards-compatible default setting chroot=y", row.file, row.line.first))
	}
	args := l.args[:0]
	args = append(args, row.Command)
	switch s.Policy.Limit {
	case 1:
		args = append(args, "-l")
	case 0:
		args = append(args, "-z")
	}
	if path.Base(row.Command) != row.Name {
		args = append(args, "-n", row.Name)
	}
	args = append(args, "-t", row.Transport)
	for _, flag := range []struct {
		name string
		on   bool
	}{{"-d", l.options.Debug}, {"-v", l.options.Verbose > 0}, {"-u", unprivileged}, {"-c", chroot}} {
		if flag.on {
			args = append(args, flag.name)
		}
	}
	stress := len(args) + 1
	if s.Policy.Stress {
		args = append(args, "-o", "stress=")
	}
	if len(s.Endpoints) > 1 {
		args = append(args, "-s", strconv.Itoa(len(s.Endpoints)))
	}
	args = append(args, row.Args...)
	l.args, args = args, slices.Clone(args)
	s.Command = plan.Command{
		Path: l.program(row.Command), Args: args, Env: l.config.Environment,
		Dir: l.config.QueueDir, Umask: 0o077, IgnoreSIGPIPE: true,
	}
	if s.Policy.Stress {
		s.Command.StressArgs = append([]string(nil), args...)
		s.Command.StressArgs[stress] = "stress=yes"
	}
}
