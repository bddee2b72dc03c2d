package postfix

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/ports"
)

// village is an instance that uses all of Debian's daemons.
type village struct {
	*instance
	sink       *sink
	lmtp       *sink
	postscreen int // port
	verifying  int // the port of an smtpd that verifies addresses
	echo       int // the port of a spawn(8)
}

// Every daemon that the package has is born of the master when it is needed,
// does its work and stays alive.
func TestDaemons(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		v := newVillage(t, master)
		v.start()
		for _, sub := range []struct {
			name string
			test func(v *village)
		}{
			{"smtpd is in its jail", (*village).testJail},
			{"anvil, proxymap", (*village).testLookups},
			{"tlsmgr", (*village).testTLS},
			{"postscreen, dnsblog and pass", (*village).testPostscreen},
			{"tlsproxy", (*village).testTLSProxy},
			{"verify", (*village).testVerify},
			{"spawn", (*village).testSpawn},
			{"local", (*village).testLocal},
			{"pipe", (*village).testPipe},
			{"lmtp", (*village).testLMTP},
			{"discard", (*village).testDiscard},
			{"error and bounce", (*village).testBounce},
			{"trace", (*village).testTrace},
			{"what all were born with", (*village).testBirth},
		} {
			t.Run(sub.name, func(t *testing.T) {
				w := *v
				w.instance = v.within(t)
				sub.test(&w)
			})
		}
	}, both()...)
}

// newVillage configures it; nothing runs yet.
func newVillage(t *testing.T, master flavour) *village {
	t.Helper()
	in := newInstance(t, master)
	v := &village{
		instance: in, sink: in.newSink().start(), lmtp: in.newSink().start("-L"),
		postscreen: ports.Free(t), verifying: ports.Free(t), echo: ports.Free(t),
	}
	v.transport(map[string]string{
		"relay.test":   v.sink.nexthop("relay"),
		"lmtp.test":    fmt.Sprintf("lmtp:inet:127.0.0.1:%d", v.lmtp.port),
		"pipe.test":    "shell:",
		"discard.test": "discard:",
		"error.test":   "error:5.1.1 nobody of that name",
	})
	v.file("boxes", "known@virtual.test box/\nowner@virtual.test owner/\n")
	v.file("aliases", "carol: "+v.mail+"/carol\n")
	v.run("postalias", "hash:"+v.conf+"/aliases")
	certificate(t, v.conf+"/cert.pem", v.conf+"/key.pem")
	for name, value := range map[string]string{
		"relay_domains":                       "relay.test lmtp.test pipe.test discard.test error.test",
		"virtual_mailbox_maps":                "proxy:texthash:" + v.conf + "/boxes",
		"alias_maps":                          "hash:" + v.conf + "/aliases",
		"smtpd_client_event_limit_exceptions": "",
		"smtpd_tls_security_level":            "may",
		"smtpd_tls_cert_file":                 v.conf + "/cert.pem",
		"smtpd_tls_key_file":                  v.conf + "/key.pem",
		"postscreen_access_list":              "",
		"postscreen_greet_wait":               "3s", // within which a client that is early has to speak
		"postscreen_greet_action":             "enforce",
		"postscreen_dnsbl_sites":              "list.test",
		"postscreen_dnsbl_threshold":          "2",
		"address_verify_map":                  "proxy:btree:$data_directory/verify_cache",
		"address_verify_poll_delay":           "1s",
		"address_verify_poll_count":           "50",
		"unverified_recipient_reject_code":    "550",
		"unverified_sender_reject_code":       "550",
	} {
		v.main[name] = value
	}
	v.row(v.port(v.postscreen)+" inet", "n - y - 1 postscreen")
	v.row("smtpd pass", "- - y - - smtpd")
	v.row("dnsblog unix", "- - y - 0 dnsblog")
	v.row("tlsproxy unix", "- - y - 0 tlsproxy")
	v.row(v.port(v.verifying)+" inet", "n - y - - smtpd -o { smtpd_recipient_restrictions = "+
		"reject_unverified_sender reject_unverified_recipient permit_mynetworks reject }")
	v.row(v.port(v.echo)+" inet", "n n n - 0 spawn user=nobody argv=/bin/cat")
	v.row("shell unix", "- n n - - pipe flags=Rq user=nobody argv=/bin/dd status=none of="+v.mail+"/piped")
	v.write()
	v.chroot()
	v.file("resolv.conf", "nameserver "+blocklist(t)+"\n")
	copyFile(t, v.conf+"/resolv.conf", v.queue+"/etc/resolv.conf")
	return v
}

// testJail: a chrooted smtpd has the queue directory for its root, and is no
// longer root.
func (v *village) testJail() {
	dial(v.T, address(v.smtp)).say(250, "EHLO client.test")
	for _, pid := range v.children("smtpd") {
		root, err := os.Readlink(fmt.Sprintf("/proc/%d/root", pid))
		if must(v, err); root != v.queue {
			v.Errorf("smtpd's root is %s", root)
		}
		info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
		if must(v, err); ownerOf(info) != lookup(v, "postfix") {
			v.Errorf("smtpd runs as user %d", ownerOf(info))
		}
	}
	v.seen("smtpd")
}

func (v *village) testLookups() {
	d := dial(v.T, address(v.smtp))
	d.say(250, "EHLO client.test")
	d.say(250, "MAIL FROM:<a@brood.test>")
	d.say(250, "RCPT TO:<known@virtual.test>")
	d.say(550, "RCPT TO:<unknown@virtual.test>")
	v.seen("anvil", "proxymap", "trivial-rewrite")
}

func (v *village) testTLS() {
	out := v.run("swaks", "--server", "127.0.0.1", "--port", v.port(v.smtp), "-tls",
		"--ehlo", "client.test", "--from", "a@brood.test", "--to", "known@virtual.test")
	if !strings.Contains(out, "TLS started") {
		v.Errorf("swaks says:\n%s", out)
	}
	await.That(v, "the message in the mailbox", func() bool { return len(v.delivered("box")) > 0 })
	v.seen("tlsmgr")
}

// testPostscreen: a client that waits for the greeting is handed to an smtpd
// that listens on a pass service.
func (v *village) testPostscreen() {
	from := v.mark()
	d := dialFrom(v.T, "127.0.0.9", address(v.postscreen))
	d.expect(220)
	d.say(250, "EHLO client.test")
	d.say(250, "MAIL FROM:<a@brood.test>")
	d.say(250, "RCPT TO:<known@virtual.test>")
	v.await(from, `postscreen\[\d+\]: PASS NEW \[127\.0\.0\.9\]`)
	v.await(from, `dnsblog\[\d+\]: addr 127\.0\.0\.9 listed by domain list\.test as 127\.0\.0\.2`)
	v.seen("postscreen", "dnsblog")
	passed := slices.ContainsFunc(v.children("smtpd"), func(pid int) bool {
		return slices.Contains(argv(pid), "pass")
	})
	if !passed {
		v.Error("no smtpd serves the pass service")
	}
}

// testTLSProxy: a client that talks into the middle of the greeting never gets
// the rest of it, and is kept by postscreen itself, which leaves the
// cryptography to tlsproxy.
func (v *village) testTLSProxy() {
	d := dialFrom(v.T, "127.0.0.10", address(v.postscreen))
	must(v, d.PrintfLine("EHLO client.test"))
	if teaser, err := d.ReadLine(); !strings.HasPrefix(teaser, "220-") {
		v.Fatalf("postscreen's teaser is %q, %v", teaser, err)
	}
	d.expect(250)
	d.say(220, "STARTTLS")
	secure := tls.Client(d.raw, &tls.Config{InsecureSkipVerify: true}) // the certificate is its own authority
	must(v, secure.Handshake())
	d.Conn = textproto.NewConn(secure)
	d.say(250, "EHLO client.test")
	d.say(250, "MAIL FROM:<a@brood.test>")
	d.say(550, "RCPT TO:<known@virtual.test>")
	v.seen("tlsproxy")
}

// testVerify: addresses are verified with probes, whose outcome verify keeps in
// a map that it writes through proxymap.
func (v *village) testVerify() {
	d := dial(v.T, address(v.verifying))
	d.say(250, "EHLO client.test")
	for _, step := range []struct {
		sender, recipient string
		code              int
	}{
		{"owner@virtual.test", "user@relay.test", 250},
		{"owner@virtual.test", "nobody@error.test", 550},
		{"nobody@error.test", "user@relay.test", 550},
	} {
		d.say(250, "RSET")
		d.say(250, "MAIL FROM:<%s>", step.sender)
		d.say(step.code, "RCPT TO:<%s>", step.recipient)
	}
	v.seen("verify")
	for _, p := range v.children("proxymap") {
		if slices.Contains(argv(p), "proxywrite") {
			return
		}
	}
	v.Error("no proxymap serves proxywrite")
}

func (v *village) testSpawn() {
	c, err := net.Dial("tcp", address(v.echo))
	must(v, err)
	defer c.Close()
	_, err = fmt.Fprintln(c, "echo")
	must(v, err)
	if line, err := bufio.NewReader(c).ReadString('\n'); line != "echo\n" {
		v.Errorf("spawn's program says %q, %v", line, err)
	}
	v.seen("spawn")
}

func (v *village) testLocal() {
	v.sendmail("carol@local.test", "for carol")
	v.fileSays(v.mail+"/carol", "Subject: for carol")
	v.seen("local")
}

func (v *village) testPipe() {
	v.sendmail("user@pipe.test", "for the pipe")
	v.fileSays(v.mail+"/piped", "Subject: for the pipe")
	v.seen("pipe")
}

func (v *village) testLMTP() {
	v.sendmail("user@lmtp.test", "over lmtp")
	await.That(v, "the message at the sink", func() bool { return len(v.lmtp.messages()) == 1 })
	v.seen("lmtp")
}

func (v *village) testDiscard() {
	from := v.mark()
	v.sendmail("user@discard.test", "away with it")
	v.await(from, `discard\[\d+\]: .*status=sent`)
	v.seen("discard")
}

// testBounce: what cannot be delivered comes back to the sender.
func (v *village) testBounce() {
	if out, err := v.tryWith(mailing("comes back"), "sendmail", "-C", v.conf, "-f", "owner@virtual.test", "user@error.test"); err != nil {
		v.Fatalf("sendmail: %v\n%s", err, out)
	}
	await.That(v, "the bounce in the mailbox", func() bool { return len(v.delivered("owner")) == 1 })
	v.fileSays(v.delivered("owner")[0], "nobody of that name")
	v.seen("error", "bounce")
}

// testTrace: a delivery report, which bounce makes under its name of trace.
func (v *village) testTrace() {
	before := len(v.delivered("owner"))
	if out, err := v.tryWith(mailing("just looking"), "sendmail", "-C", v.conf, "-bv", "-f", "owner@virtual.test", "user@relay.test"); err != nil {
		v.Fatalf("sendmail -bv: %v\n%s", err, out)
	}
	await.That(v, "the report in the mailbox", func() bool { return len(v.delivered("owner")) == before+1 })
	for _, p := range v.children("bounce") {
		if slices.Contains(argv(p), "trace") {
			return
		}
	}
	v.Error("no bounce serves trace")
}

// testBirth: a daemon has what the protocol gives it at birth, and shares the
// master's session, but for those that leave it by themselves because a signal
// to the group must not hurt the map that they keep.
func (v *village) testBirth() {
	loners := []string{"postscreen", "verify", "proxymap"}
	master := v.master()
	for _, p := range v.processes() {
		if p.ppid != master || p.name == "master" { // the latter is about to become another
			continue
		}
		if (p.pgid != master || p.sid != master) && !slices.Contains(loners, p.name) {
			v.Errorf("%s has process group %d and session %d, the master has %d", p.name, p.pgid, p.sid, master)
		}
		open := descriptors(p.pid)
		if !alive(p.pid) {
			continue // it has been idle for long enough just now
		}
		for fd, want := range map[string]string{"0": "/dev/null", "1": "/dev/null", "2": "/dev/null", "3": "pipe:", "4": "pipe:", "5": "socket:"} {
			if !strings.HasPrefix(open[fd], want) {
				v.Errorf("%s has %q as descriptor %s, not %s", p.name, open[fd], fd, want)
			}
		}
	}
}

// fileSays waits until a file holds a text.
func (v *village) fileSays(file, text string) {
	v.Helper()
	await.That(v, filepath.Base(file)+" to say "+text, func() bool {
		content, _ := os.ReadFile(file)
		return strings.Contains(string(content), text)
	})
}
