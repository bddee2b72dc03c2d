package native

import (
	"fmt"
	"io"
	"strings"
)

// starterHead is how the starting file begins, starterService the part of it that
// works as it is: cat, served by inetd, is an echo service. It comes last, so that
// no setting that is taken into use ends up in it.
const starterHead = `# brood.toml: who listens where, what serves it, and how many of it there are.
#
# brood check FILE   says everything that is wrong with it, and where
# broodd -c FILE     serves it
# brood plan         says what a reload would do to the daemon that serves it
#
# Lines that begin with #? are settings at their defaults, or examples of those
# that have none: take the #? away, that of the [table] above them as well, and
# change them. The last lines are a service that works as it is. Addresses and
# placeholders are explained in docs/config.md of the source.

`

const starterService = `
# A first service, ready to be tried: each client gets a cat of its own, which
# echoes what it is sent. Try it with: nc 127.0.0.1 7007
[service.hello]
listen = ["tcp://127.0.0.1:7007"]
command = ["cat"]
protocol = "inetd"
`

// WriteStarter writes the commented file that `brood init` begins with. It
// loads without a diagnostic on any machine that has cat(1). The error is the
// writer's.
func WriteStarter(w io.Writer) error {
	var b strings.Builder
	b.WriteString(starterHead)
	writeRemark(&b, includeKey.doc)
	fmt.Fprintf(&b, "#?include = %s\n\n", includeKey.example)
	b.WriteString("# The daemon as a whole.\n#?[brood]\n")
	starterKeys(&b, broodKeys())
	b.WriteString("\n# A pool of workers, with all that can be set.\n#?[service.web]\n")
	for _, s := range serviceSections() {
		b.WriteByte('\n')
		writeRemark(&b, s.title+". "+s.doc)
		b.WriteByte('\n')
		starterKeys(&b, s.keys)
	}
	b.WriteString("\n# Settings for many services; each takes them over by template = \"base\".\n#?[template.base]\n#?umask = \"027\"\n")
	b.WriteString("\n# A limit over several services; each joins by ceilings = [\"batch\"].\n#?[ceiling.batch]\n")
	starterKeys(&b, ceilingKeys)
	b.WriteString(starterService)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("cannot write the starting file: %w", err)
	}
	return nil
}

func starterKeys(b *strings.Builder, keys []*key) {
	for _, k := range keys {
		text := k.doc
		if k.only != nil {
			text += " Only with " + protocolList(k.only.protocols) + "."
		}
		if k.choices != nil && len(k.choices) < namesShownMax {
			text += " One of " + quotedList(k.choices) + "."
		}
		if k.example != "" && k.preset != "" {
			text += " Default: " + k.preset + "."
		}
		writeRemark(b, text)
		fmt.Fprintf(b, "#?%s = %s\n", k.name, k.shown())
	}
}

func writeRemark(b *strings.Builder, text string) {
	b.WriteString("# " + strings.ReplaceAll(wrapped(text, 77), "\n", "\n# ") + "\n")
}

// wrapped breaks text into lines of at most width letters, where its words
// allow.
func wrapped(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
