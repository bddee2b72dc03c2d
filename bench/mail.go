package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mailRows is Debian's master.cf as far as mail from smtpd to a mailbox needs
// it, without chroot; PORT is smtpd's.
const mailRows = `PORT inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache`

// mailSystem is an instance with Postfix's own daemons.
type mailSystem struct {
	*instance
	address string
}

// newMailSystem starts one. Options are smtpd's, params of main.cf.
func (t *tools) newMailSystem(master, options string, params ...string) (*mailSystem, error) {
	in, err := t.newInstance(master, 0, "")
	if err != nil {
		return nil, err
	}
	m := &mailSystem{instance: in}
	m.params = append(m.params, params...)
	if err := m.layOutMail(options); err != nil {
		in.stop()
		return nil, err
	}
	if _, err := m.start(); err != nil {
		m.stop()
		return nil, err
	}
	return m, nil
}

// layOutMail is what Postfix's daemons want beyond what the master does.
func (m *mailSystem) layOutMail(options string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	m.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	const nobody = 65534
	m.params = append(m.params,
		"daemon_directory = /usr/lib/postfix/sbin",
		"myhostname = bench.test", "mydestination =", "mynetworks = 127.0.0.0/8",
		"virtual_mailbox_domains = bench.test", "virtual_mailbox_base = "+m.path("mail"),
		"virtual_mailbox_maps = static:box/", "virtual_transport = virtual",
		fmt.Sprintf("virtual_uid_maps = static:%d", nobody), fmt.Sprintf("virtual_gid_maps = static:%d", nobody),
		"alias_maps =", "alias_database =", "local_recipient_maps =", "biff = no",
		"smtpd_peername_lookup = no", "smtp_dns_support_level = disabled", "smtputf8_enable = no")
	m.rows = strings.Split(strings.Replace(mailRows, "PORT", strconv.Itoa(port), 1), "\n")
	m.rows[0] += options
	if err := os.Mkdir(m.path("mail"), 0o755); err != nil {
		return err
	}
	if err := os.Chown(m.path("mail"), nobody, nobody); err != nil {
		return err
	}
	if err := m.queueDirectories(); err != nil {
		return err
	}
	return m.write()
}

// queueDirectories makes those that "postfix check" would make.
func (m *mailSystem) queueDirectories() error {
	owner, err := user.Lookup("postfix")
	if err != nil {
		return err
	}
	group, err := user.LookupGroup("postdrop")
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(group.Gid)
	for _, name := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "saved", "trace"} {
		if err := os.Mkdir(m.path("queue/"+name), 0o700); err != nil {
			return err
		}
		if err := os.Chown(m.path("queue/"+name), uid, -1); err != nil {
			return err
		}
	}
	if err := os.Mkdir(m.path("queue/maildrop"), 0o700); err != nil {
		return err
	}
	if err := os.Chown(m.path("queue/maildrop"), uid, gid); err != nil {
		return err
	}
	return os.Chmod(m.path("queue/maildrop"), 0o730)
}

// freePort is a port that nobody uses now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// send has smtp-source send messages in so many sessions at a time, and more
// of its options.
func (m *mailSystem) send(messages, sessions int, options ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	args := []string{"-s", strconv.Itoa(sessions), "-m", strconv.Itoa(messages), "-l", "2000", "-f", "from@bench.test", "-t", "to@bench.test"}
	args = slices.Concat(args, options, []string{"inet:" + m.address})
	if out, err := exec.CommandContext(ctx, "/usr/sbin/smtp-source", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot send: %w\n%s%s", err, out, m.lastLines())
	}
	return nil
}

// drained waits until no message is in the queue.
func (m *mailSystem) drained() error {
	return until("an empty queue", 5*time.Millisecond, func() bool {
		for _, q := range []string{"incoming", "active", "deferred", "maildrop"} {
			if !emptyBelow(m.path("queue/" + q)) {
				return false
			}
		}
		return true
	})
}

var errFile = errors.New("there is a file")

func emptyBelow(dir string) bool {
	return !errors.Is(filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			return errFile
		}
		return nil
	}), errFile)
}

// forget removes what was delivered, so that all rounds begin alike.
func (m *mailSystem) forget() error {
	return os.RemoveAll(m.path("mail/box"))
}

// mailTurns has each master's mail system take its turn, so many times; count is
// by what a rate is reckoned.
func (b *bench) mailTurns(options string, rounds, count int, send func(*mailSystem) error, params ...string) (*series, error) {
	var turns []subject
	for _, name := range masters {
		m, err := b.tools.newMailSystem(name, options, params...)
		if err != nil {
			return nil, err
		}
		defer m.stop()
		turns = append(turns, subject{name, func() (measures, error) { return m.turn(count, send) }})
	}
	return interleave(rounds, turns)
}

func (m *mailSystem) turn(count int, send func(*mailSystem) error) (measures, error) {
	if err := m.forget(); err != nil {
		return nil, err
	}
	before, err := cpuTime(m.pid)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := send(m); err != nil {
		return nil, err
	}
	sent := time.Since(begun)
	if err := m.drained(); err != nil {
		return nil, err
	}
	took := time.Since(begun)
	after, err := cpuTime(m.pid)
	return measures{
		rate: float64(count) / sent.Seconds(), "time": took.Seconds(), "cpu": milliseconds(after - before),
	}, err
}

// smtpSessions is row 9.
func smtpSessions(b *bench) (*result, error) {
	const parallel = 20
	n := b.size.sessions
	s, err := b.mailTurns(" -o max_use=1", b.size.mailRounds, n, func(m *mailSystem) error { return m.send(n, min(parallel, n)) })
	if err != nil {
		return nil, err
	}
	return &result{
		figures: []*figure{{
			what: fmt.Sprintf("smtpd with max_use = 1, %d sessions at a time", parallel), unit: "sessions/s",
			ours: s.of(brood, rate), peer: s.of(postfix, rate), peerName: postfix, goal: goal{atLeast, 1},
		}},
		notes: []string{fmt.Sprintf("For %d sessions the master itself uses %s ms of CPU, Postfix's %s, of a run of %s s; all else is the same daemons in both.",
			n, short(median(s.of(brood, "cpu"))), short(median(s.of(postfix, "cpu"))), short(median(s.of(brood, "time"))))},
	}, nil
}

// lottery is how many times more rounds the delivery has. With Postfix's
// ordinary settings a cleanup(8) that is ahead of the queue manager waits a
// second (in_flow_delay), which befalls a few of the 2,000 messages or none, by
// chance, and with any master: a round takes 0.8 s or 1.2.
const lottery = 4

// mailDelivery is row 10.
func mailDelivery(b *bench) (*result, error) {
	const parallel = 10
	n := b.size.messages
	deliver := func(m *mailSystem) error { return m.send(n, min(parallel, n), "-d") }
	s, err := b.mailTurns("", lottery*b.size.mailRounds, n, deliver)
	if err != nil {
		return nil, err
	}
	steady, err := b.mailTurns("", lottery*b.size.mailRounds, n, deliver, "in_flow_delay = 0")
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%d messages, ", n)
	return &result{
		figures: []*figure{
			{
				what: what + "until delivered", unit: "s", peerName: postfix, goal: goal{atMost, 1},
				ours: s.of(brood, "time"), peer: s.of(postfix, "time"),
			},
			{
				what: what + "CPU of the master", unit: "ms", peerName: postfix, goal: goal{atMost, 0.8},
				ours: s.of(brood, "cpu"), peer: s.of(postfix, "cpu"),
			},
			{
				what: what + "in_flow_delay = 0, until delivered", unit: "s", peerName: postfix,
				ours: steady.of(brood, "time"), peer: steady.of(postfix, "time"),
			},
			{
				what: what + "in_flow_delay = 0, CPU of the master", unit: "ms", peerName: postfix,
				ours: steady.of(brood, "cpu"), peer: steady.of(postfix, "cpu"),
			},
		},
		notes: []string{
			"smtpd, cleanup, qmgr, virtual; maildirs in memory; no postlogd.",
			fmt.Sprintf("With ordinary settings a cleanup that is ahead of the queue manager waits a second, by chance: of %d rounds that made %d last longer than 1.4 times the shortest with brood, %d with Postfix's master.",
				len(s.of(brood, "time")), slow(s.of(brood, "time"), s.of(postfix, "time")), slow(s.of(postfix, "time"), s.of(brood, "time"))),
		},
	}, nil
}

// slow is how many of these rounds took much longer than the shortest of all.
func slow(these, those []float64) int {
	shortest := min(slices.Min(these), slices.Min(those))
	n := 0
	for _, t := range these {
		if t > 1.4*shortest {
			n++
		}
	}
	return n
}
