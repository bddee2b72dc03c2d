package native

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brood-project/brood/internal/plan"
)

const manualFile = "../../docs/config.md"

// TestManual holds docs/config.md to the table of keys.
func TestManual(t *testing.T) {
	var got bytes.Buffer
	if err := WriteManual(&got); err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		if err := os.WriteFile(manualFile, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(manualFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("docs/config.md is not what the table says; write it anew with -rewrite (-file +table):\n%s", diff)
	}
}

func starter(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteStarter(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestStarterLoads has the file of `brood init` load as it is, as root and as
// an ordinary user.
func TestStarterLoads(t *testing.T) {
	for _, words := range []string{"", "user"} {
		cfg, ds := Load("brood.toml", Options{machine(map[string]string{"brood.toml": starter(t)}, words)})
		if len(ds) > 0 {
			t.Errorf("%q: %v", words, ds)
		}
		if len(cfg.Services) != 1 || cfg.Services[0].Name != "hello" {
			t.Errorf("%q: services %v, want hello alone", words, cfg.Services)
		}
	}
}

// TestStarterHasEveryKey finds each key of the table in the starting file, in
// lines that a terminal shows whole.
func TestStarterHasEveryKey(t *testing.T) {
	text := starter(t)
	for _, s := range []*schema{serviceSchema(), broodSchema(), ceilingSchema()} {
		for _, k := range s.keys {
			if !strings.Contains(text, "\n#?"+k.name+" = ") {
				t.Errorf("the starting file does not have %s", k.name)
			}
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if len(line) > 80 && strings.HasPrefix(line, "# ") {
			t.Errorf("line of %d letters: %s", len(line), line)
		}
	}
}

// TestStarterUncommented takes all of the starting file into use at once: some
// settings exclude each other, but each stands where it belongs.
func TestStarterUncommented(t *testing.T) {
	text := strings.ReplaceAll(starter(t), "#?", "")
	_, ds := Load("brood.toml", Options{machine(map[string]string{"brood.toml": text}, "")})
	for _, d := range ds {
		if !regexp.MustCompile(`means nothing|would listen at|cannot read /etc/default/web|has no effect`).MatchString(d.What) {
			t.Error(d)
		}
	}
}

// loadWith loads a service of a protocol with one more line in it.
func loadWith(p plan.Protocol, name, line string) (*Config, plan.Diagnostics) {
	var b strings.Builder
	b.WriteString("[template.base]\numask = \"022\"\n[ceiling.batch]\nworkers = 5\n[service.x]\n")
	for _, k := range serviceSchema().keys {
		if !k.required || k.name == name {
			continue
		}
		switch k.name {
		case "protocol":
			fmt.Fprintf(&b, "protocol = %q\n", protocolName(p))
		case "listen":
			b.WriteString("listen = [\"unix:///run/{name}.sock\"]\n")
		case "command":
			b.WriteString("command = [\"cat\"]\n")
		}
	}
	b.WriteString(line + "\n")
	files := map[string]string{"brood.toml": b.String(), "etc/default/web": "", "/etc/default/web": ""}
	return Load("brood.toml", Options{machine(files, "")})
}

// TestEveryExampleIsGood loads the example and the default of every key, with
// every protocol that it applies to, and sees it refused with the others.
func TestEveryExampleIsGood(t *testing.T) {
	for _, k := range serviceSchema().keys {
		for _, text := range []string{k.preset, k.example} {
			for i := range protocolNames {
				if text == "" {
					continue
				}
				_, ds := loadWith(protocolAt(i), k.name, k.name+" = "+text)
				refused := regexp.MustCompile(regexp.QuoteMeta(k.name) + " means nothing").MatchString(ds.Error())
				neutral := k.zero != "" && text == `"`+k.zero+`"` || text == "0"
				if want := !k.appliesTo(protocolAt(i)) && !neutral; refused != want {
					t.Errorf("%s = %s with %s: refused = %v, want %v", k.name, text, protocolNames[i], refused, want)
				}
				if !refused && ds.Failed() {
					t.Errorf("%s = %s with %s: %v", k.name, text, protocolNames[i], ds)
				}
			}
		}
	}
}

// TestTableIsSound holds the table itself to its rules.
func TestTableIsSound(t *testing.T) {
	for _, s := range []*schema{serviceSchema(), broodSchema(), ceilingSchema()} {
		seen := make(map[string]string)
		for _, k := range s.keys {
			if k.put == nil || k.shown() == "" || !strings.HasSuffix(k.doc, ".") {
				t.Errorf("%s: without an effect, a value to show, or a text that ends in a full stop", k.name)
			}
			if k.preset == "" && !k.required && k.example == "" {
				t.Errorf("%s has neither default nor example", k.name)
			}
			for _, other := range k.also {
				if s.named[other] != nil || seen[other] != "" {
					t.Errorf("%s is also called %s, which is %q", k.name, other, seen[other])
				}
				seen[other] = k.name
			}
		}
	}
}

// TestEverySettingArrives sets each key to something else than its default and
// sees the service differ: no key is read and forgotten.
func TestEverySettingArrives(t *testing.T) {
	for _, k := range serviceSchema().keys {
		text := k.example
		switch {
		case k.kind == kindFlag:
			text = "true"
		case k.choices != nil:
			text = quoted(k.choices[1])
		case text == "" && k.kind == kindCount:
			text = "7"
		case text == "" && k.kind == kindFactor:
			text = "7"
		case text == "" && (k.kind == kindTime || k.kind == kindEvery):
			text = `"7s"`
		case k.name == "stop.signal":
			text = `"INT"`
		case k.name == "umask":
			text = `"077"`
		case k.name == "log.to":
			text = `"stderr"`
		case k.name == "env_pass":
			text = `["SECRET"]`
		case k.name == "env_file":
			text = `"more.env"`
		}
		if k.name == "on_give_up" {
			text += "\nbackoff.tries = 3"
		}
		p := plan.ProtocolNone
		if k.only != nil {
			p = k.only.protocols[len(k.only.protocols)-1]
		}
		if k.required {
			continue // every other test sees these
		}
		without, _ := loadWithFile(p, "")
		with, ds := loadWithFile(p, k.name+" = "+text)
		if ds.Failed() {
			t.Errorf("%s = %s: %v", k.name, text, ds)
			continue
		}
		if dump(with) == dump(without) {
			t.Errorf("%s = %s changes nothing", k.name, text)
		}
	}
}

func loadWithFile(p plan.Protocol, line string) (*Config, plan.Diagnostics) {
	files := map[string]string{
		"brood.toml": "[template.base]\numask = \"027\"\n[ceiling.batch]\nworkers = 5\n[service.x]\nlisten = [\"unix:///run/{name}.sock\"]\ncommand = [\"cat\"]\nprotocol = " + quoted(protocolName(p)) + "\n" + line + "\n",
		"more.env":   "A=1\n",
	}
	return Load("brood.toml", Options{machine(files, "")})
}
