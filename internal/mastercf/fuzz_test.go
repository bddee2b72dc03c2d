package mastercf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/plan"
)

// mustHavePlaces fails when a diagnostic does not say where or what.
func mustHavePlaces(t *testing.T, diagnostics plan.Diagnostics) {
	t.Helper()
	for _, d := range diagnostics {
		if d.Pos.File == "" || d.Pos.Line < 1 || d.Pos.Col < 1 || d.What == "" || d.Severity == 0 {
			t.Errorf("a diagnostic without place or text: %+v", d)
		}
	}
}

func FuzzMainCF(f *testing.F) {
	for _, w := range wordings {
		f.Add(w.main)
	}
	f.Add("a = 1\n# c\n b\nb=${a?{x}:{$c}}\nc = ${{$a}<{2}?{$$}:{$(b)}}\n")
	f.Add("a=$b$b\nb=$c$c\nc=$d$d\nd=$e$e\ne=$a\n")
	f.Add("a = x\x00y\r\n z\n \tq")
	f.Fuzz(func(t *testing.T, text string) {
		params, diagnostics := ParseMain("main.cf", text)
		mustHavePlaces(t, diagnostics)
		again, _ := ParseMain("main.cf", params.String())
		for _, name := range params.Names() {
			value, err := params.Value(name)
			if len(value) > 4*expandedMax+len(text) {
				t.Errorf("%s grows to %d bytes", name, len(value))
			}
			if err == nil && again.set[name].value != params.set[name].value {
				t.Errorf("%s is %q, and %q when read again", name, params.set[name].value, again.set[name].value)
			}
		}
	})
}

func FuzzMasterCF(f *testing.F) {
	for _, w := range wordings {
		f.Add(w.master)
	}
	f.Add("smtp inet n - y 60? 1 smtpd -o { a = b }\n  -v {x}\n# c\n\nfoo unix - - - - 0 p x{y z")
	f.Fuzz(func(t *testing.T, text string) {
		rows, diagnostics := ParseMaster("master.cf", text)
		mustHavePlaces(t, diagnostics)
		var dump strings.Builder
		for _, row := range rows {
			dump.WriteString(row.String() + "\n")
		}
		again, diagnostics := ParseMaster("master.cf", dump.String())
		if diagnostics.Failed() || len(again) != len(rows) {
			t.Fatalf("%d rows, and %d when read again: %v\n%q", len(rows), len(again), diagnostics, dump.String())
		}
		for i := range rows {
			if got, want := fmt.Sprintf("%q", again[i].fields()), fmt.Sprintf("%q", rows[i].fields()); got != want {
				t.Errorf("row %d is %s, and %s when read again", i, want, got)
			}
		}
		l := plainLoader()
		for _, row := range rows {
			before := len(l.list)
			if s := l.service(row); s == nil && len(l.list) == before {
				t.Errorf("row %s vanishes silently", row)
			} else if s != nil && len(s.Endpoints) == 0 {
				t.Errorf("row %s listens nowhere", row)
			}
		}
		mustHavePlaces(t, l.list)
	})
}

// fields are all words of a row.
func (r *Row) fields() []string {
	return append([]string{
		r.Name, r.Transport, r.Private, r.Unpriv, r.Chroot, r.Wakeup, r.MaxProc, r.Command,
	}, r.Args...)
}

// plainLoader is ready to make services on the fake machine.
func plainLoader() *loader {
	l := newLoader(Options{Dir: "/etc/postfix", Lookups: fakeLookups()})
	l.useMain("", "main.cf")
	l.settings()
	l.network()
	return l
}

func TestGrowthIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, "x%d = $x%d$x%d\n", i, i+1, i+1)
	}
	params, _ := ParseMain("main.cf", b.String()+"x60 = "+strings.Repeat("y", 1000)+"\n")
	if _, err := params.Value("x0"); err == nil {
		t.Error("2^60 copies are not refused")
	}
}

// manyRows is a master.cf of so many services.
func manyRows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "127.0.0.1:%d inet n - y - %d smtpd -o syslog_name=postfix/s%d -o { x = y z }\n", 10000+i, i%3, i)
	}
	return b.String()
}

func BenchmarkLoad5000(b *testing.B) {
	dir := b.TempDir()
	text := manyRows(5000)
	b.ReportAllocs()
	writeConfig(b, dir, "compatibility_level = 3.6\n", text)
	for b.Loop() {
		if c, d := Load(Options{Dir: dir, Lookups: fakeLookups()}); len(c.Plan.Services) != 5000 {
			b.Fatal(d)
		}
	}
}
