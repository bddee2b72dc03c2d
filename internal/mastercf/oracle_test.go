package mastercf

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// oracleCases is how many configurations of each kind are compared with
// postconf(1).
const oracleCases = 300

// knownNames are parameters of Postfix whose values it takes as they are.
var knownNames = strings.Fields(`relayhost relay_domains smtpd_banner myorigin notify_classes fallback_transport
	local_recipient_maps home_mailbox smtp_helo_name header_checks body_checks
	mydestination canonical_maps virtual_alias_maps transport_maps alias_maps`)

// defaultNames are parameters that the generator refers to and never sets.
var defaultNames = strings.Fields(`mail_name queue_directory daemon_directory inet_protocols default_process_limit
	service_throttle_time syslog_facility mail_owner`)

// mainGenerator writes random main.cf files in all the forms that Postfix
// takes. A value refers only to names after its own, so that none is circular.
type mainGenerator struct {
	*rand.Rand
	next int // the first name that may be referred to
}

func (g *mainGenerator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g *mainGenerator) name() string {
	later := knownNames[g.next:]
	if len(later) == 0 || g.IntN(4) == 0 {
		return g.pick(defaultNames...)
	}
	return g.pick(later...)
}

func (g *mainGenerator) space() string { return g.pick("", "", " ", "  ") }

func (g *mainGenerator) word() string {
	return g.pick("a", "b", "10", "9", "010", "x-y", "hash:/etc/z", "a@b", "", "7up", ",", "=", "!", "100", "é")
}

func (g *mainGenerator) text(depth int) string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		if depth > 0 && g.IntN(2) == 0 {
			b.WriteString(g.reference(depth - 1))
		} else {
			b.WriteString(g.word())
		}
		b.WriteString(g.space())
	}
	return b.String()
}

func (g *mainGenerator) braced(depth int) string {
	return "{" + g.space() + g.text(depth) + g.space() + "}"
}

func (g *mainGenerator) reference(depth int) string {
	name := g.name()
	switch g.IntN(11) {
	case 0:
		return "$" + name + " "
	case 1:
		return "${" + g.space() + name + g.space() + "}"
	case 2:
		return "$(" + name + ")"
	case 3:
		return "$$"
	case 4:
		return "${" + name + "?" + g.text(depth) + "}"
	case 5:
		return "${" + name + ":" + g.text(depth) + "}"
	case 6:
		return "${" + name + "?" + g.space() + g.braced(depth) + g.space() + ":" + g.space() + g.braced(depth) + g.space() + "}"
	case 7:
		return "${" + name + "?" + g.braced(depth) + "}"
	case 8:
		return "${" + name + "?" + g.braced(depth) + ":" + g.text(depth) + "}"
	case 9:
		return "${" + name + ":" + g.braced(depth) + "}"
	}
	left, right := g.braced(depth), g.braced(depth)
	if g.IntN(2) == 0 { // close to each other
		left, right = "{"+g.pick("9", "10", "010", "a", "")+"}", "{"+g.pick("9", "10", "0010", "a", "")+"}"
	}
	condition := g.space() + left + g.space() + g.pick("==", "!=", "<", "<=", ">", ">=") + g.space() + right
	if g.IntN(4) == 0 {
		return "${" + condition + g.space() + "}"
	}
	if g.IntN(4) == 0 {
		return "${" + condition + g.pick("?", ":") + g.braced(depth) + "}"
	}
	return "${" + condition + g.space() + "?" + g.space() + g.braced(depth) + g.space() + ":" + g.space() + g.braced(depth) + "}"
}

func (g *mainGenerator) file() (text string, names []string) {
	var b strings.Builder
	for i, name := range knownNames {
		if g.IntN(3) == 0 {
			continue
		}
		g.next = i + 1
		names = append(names, name)
		b.WriteString(g.pick("", "", "# comment = $x\n", "\n", "   # indented\n", " \t\n"))
		if g.IntN(5) == 0 { // overridden by what follows
			b.WriteString(name + " = " + g.text(1) + "\n")
		}
		b.WriteString(name + g.space() + "=" + g.space() + g.text(3))
		for g.IntN(4) == 0 {
			b.WriteString(g.pick("\n ", "\n\t", "\n# c\n ", "\n\n  ", "\r\n ") + g.text(2))
		}
		b.WriteString(g.pick("\n", "\n", " \n", "\r\n"))
	}
	return strings.TrimRight(b.String(), g.pick("\n", "")), names
}

// postconf runs postconf(1) and returns its output, or why it refused.
func postconf(t *testing.T, args ...string) string {
	t.Helper()
	var stderr strings.Builder
	command := exec.Command("postconf", args...)
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("cannot run postconf %v: %v\n%s%s", args, err, out, stderr.String())
	}
	return string(out)
}

var longAgo = time.Unix(1_600_000_000, 0)

func writeConfig(t testing.TB, dir, mainCF, masterCF string) {
	t.Helper()
	for name, text := range map[string]string{"main.cf": mainCF, "master.cf": masterCF} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		// Postfix waits before it reads a file that was only just written.
		if err := os.Chtimes(path, longAgo, longAgo); err != nil {
			t.Fatal(err)
		}
	}
}

// inParallel runs a case for each seed, a few at a time.
func inParallel(t *testing.T, run func(t *testing.T, seed uint64)) {
	var wg sync.WaitGroup
	seeds := make(chan uint64)
	for range 4 {
		wg.Go(func() {
			for seed := range seeds {
				t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { run(t, seed) })
			}
		})
	}
	for seed := range uint64(oracleCases) {
		seeds <- seed
	}
	close(seeds)
	wg.Wait()
}

func TestMainAgreesWithPostconf(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	defaults := Printed(postconf(t, "-d"))
	inParallel(t, func(t *testing.T, seed uint64) {
		dir := t.TempDir()
		g := mainGenerator{Rand: rand.New(rand.NewPCG(seed, 1))}
		text, names := g.file()
		writeConfig(t, dir, text, "")
		params, diagnostics := ParseMain("main.cf", text)
		if diagnostics.Failed() {
			t.Fatalf("%v\n%s", diagnostics, text)
		}
		params.defaults.ask = func() (Printed, error) { return defaults, nil }
		want := Printed(postconf(t, append([]string{"-x", "-c", dir}, names...)...))
		for _, name := range names {
			got, err := params.Value(name)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, text)
			}
			// postconf folds what it prints at blanks.
			said, _ := want.lookup(name)
			if got = strings.Join(strings.Fields(got), " "); got != said {
				t.Errorf("%s\n got %q\nwant %q\n%s", name, got, said, text)
			}
		}
	})
}

// masterGenerator writes random master.cf files.
type masterGenerator struct{ mainGenerator }

func (g *masterGenerator) row(i int) string {
	transport := g.pick("inet", "unix", "unix-dgram", "fifo", "pass")
	name := fmt.Sprintf("service%d", i)
	private := g.pick("-", "y", "n")
	if transport == "inet" {
		name, private = g.pick("", "127.0.0.1:", "[::1]:", "localhost:")+fmt.Sprint(1000+i), "n"
	}
	fields := []string{
		name, transport, private, g.pick("-", "y", "n"), g.pick("-", "y", "n"),
		g.pick("-", "0", "60", "300?"), g.pick("-", "0", "1", "20"), g.pick("smtpd", "qmgr", "spawn", "a/b"),
	}
	for range g.IntN(6) {
		fields = append(fields, g.argument())
	}
	var b strings.Builder
	for _, field := range fields {
		if b.Len() > 0 {
			b.WriteString(g.pick(" ", "  ", "\t", " \t ", "\n ", "\n# x\n\t", "\n\n  ", "\r\n "))
		}
		b.WriteString(field)
	}
	return b.String() + g.pick("\n", " \n", "\r\n", "\n\n", "\n# comment\n")
}

func (g *masterGenerator) argument() string {
	return g.pick("-v", "-D", "x=y", "user=nobody", "argv=/bin/sh", "-c", "}", "a}b", "x{y z}w", "$name", "${recipient}",
		"{ two words }", "{one}", "{ a { b c } d}", "-o "+g.pick("a=b", "{ a = b c }", "{a=b}", "smtpd_x=$y,z"))
}

// normalised is a row as postconf -M prints it, with one blank between words.
// Up to the first argument that is no option, postconf 3.7 writes -o values
// without blanks around the "="; that first argument it leaves without braces.
func normalised(r *Row) string {
	words := []string{r.Name, r.Transport, r.Private, r.Unpriv, r.Chroot, r.Wakeup, r.MaxProc, r.Command}
	options := true
	for i, arg := range r.Args {
		value := options && i > 0 && r.Args[i-1] == "-o"
		bare := options && !value && !strings.HasPrefix(arg, "-")
		if name, text, ok := strings.Cut(arg, "="); ok && value {
			arg = strings.TrimSpace(name) + "=" + strings.TrimSpace(text)
		}
		if !bare && strings.ContainsAny(arg, blanks) {
			arg = "{" + arg + "}"
		}
		options = options && !bare
		words = append(words, arg)
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

func TestMasterAgreesWithPostconf(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	inParallel(t, func(t *testing.T, seed uint64) {
		dir := t.TempDir()
		g := masterGenerator{mainGenerator{Rand: rand.New(rand.NewPCG(seed, 2))}}
		var text strings.Builder
		for i := range 1 + g.IntN(12) {
			text.WriteString(g.pick("", "", "# comment\n", "\n", "  # x\n") + g.row(i))
		}
		writeConfig(t, dir, "", text.String())
		rows, diagnostics := ParseMaster("master.cf", text.String())
		if diagnostics.Failed() {
			t.Fatalf("%v\n%s", diagnostics, text.String())
		}
		var got []string
		for _, row := range rows {
			got = append(got, normalised(row))
		}
		var want []string
		for line := range strings.Lines(postconf(t, "-M", "-c", dir)) {
			want = append(want, strings.Join(strings.Fields(line), " "))
		}
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			t.Errorf("got\n%s\nwant\n%s\nfrom\n%s", g, w, text.String())
		}
	})
}
