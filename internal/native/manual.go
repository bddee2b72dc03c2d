package native

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const manualHead = `# brood.toml

This page is made from the table that reads the file, by
` + "`go test ./internal/native -run TestManual -rewrite`" + `. Do not edit it.

A file in [TOML](https://toml.io/en/v1.0.0) says who listens where, what serves it, and how many of it there are:

` + "```toml" + `
[service.web]
listen   = ["tcp://127.0.0.1:8080"]
command  = ["gunicorn", "-w1", "app:app"]
protocol = "systemd"
workers  = { spare = 1, max = 8 }
` + "```" + `

` + "`brood init`" + ` writes a first one, ` + "`brood check FILE`" + ` says all that is wrong with one, ` + "`broodd -c FILE`" + ` serves it, and HUP has broodd read it again: a file with a
mistake changes nothing, and a good one replaces only the workers of services that have changed. Three whole files stand [at the end](#whole-files).

## How values are written

- **time**: whole numbers, each with its unit: ` + "`\"250ms\"`, `\"60s\"`, `\"1h30m\"`, `\"7d\"`" + `. Units: ms, s, m, h, d, w.
- **size**: bytes, or powers of 1024 by K, M, G, T: ` + "`\"512M\"`" + `.
- **octal number**: always in quotes: ` + "`\"0660\"`" + `.
- Where a word such as ` + "`\"never\"`" + ` is named, it is written instead of the number or time.
- ` + "`workers = { min = 1, max = 8 }`, `workers.min = 1`, and a table `[service.web.workers]`" + ` are the same.

## Tables

| table | what it is |
|---|---|
| ` + "`[service.NAME]`" + ` | one pool: sockets, a program, a policy |
| ` + "`[template.NAME]`" + ` | settings that services take over |
| ` + "`[ceiling.NAME]`" + ` | a limit over the workers of several services |
| ` + "`[brood]`" + ` | the daemon as a whole |

A NAME has up to 64 letters, digits and ` + "`. _ -`" + `.

`

// WriteManual writes docs/config.md. The error is the writer's.
func WriteManual(w io.Writer) error {
	var b strings.Builder
	b.WriteString(manualHead)
	fmt.Fprintf(&b, "`include = %s`, above the first table: %s\n\n", includeKey.example, lowerFirst(includeKey.doc))
	manualAddresses(&b)
	manualPlaces(&b)
	b.WriteString("# [service.NAME] and [template.NAME]\n\n")
	for _, s := range serviceSections() {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", s.title, s.doc)
		manualKeys(&b, s.keys)
	}
	b.WriteString("# [ceiling.NAME]\n\nServices join by `ceilings`. At the ceiling, no worker is born until one of any of them has left.\n\n")
	manualKeys(&b, ceilingKeys)
	b.WriteString("# [brood]\n\nOnly in the main file. Its log settings are the defaults of every service.\n\n")
	manualKeys(&b, broodKeys())
	manualProtocols(&b)
	manualLimits(&b)
	manualSites(&b)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("cannot write the manual: %w", err)
	}
	return nil
}

func manualAddresses(b *strings.Builder) {
	b.WriteString("## Addresses\n\n| written | what it is | options |\n|---|---|---|\n")
	for _, s := range schemes {
		fmt.Fprintf(b, "| `%s://`%s | %s | %s |\n", s.name, s.form, s.doc, strings.Join(s.params, ", "))
	}
	b.WriteString("\nOptions follow behind `?`, joined by `&`: `unix:///run/web.sock?mode=0660&group=www-data`.\n\n| option | default | what it is |\n|---|---|---|\n")
	for _, p := range params {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", p.name, p.preset, p.doc)
	}
	b.WriteString("\nNames of hosts and of ports are not looked up. Two services cannot have the same address.\n\n")
}

func manualPlaces(b *strings.Builder) {
	b.WriteString("## Placeholders\n\nThey are replaced in `listen`, `command`, `env`, `env_file`, `directory`, `user`, `group` and `log.to`. " +
		"Doubled braces make one plain: `{{name}}` is `{name}`. Braces around anything else stay as they are.\n\n| placeholder | stands for |\n|---|---|\n")
	for _, p := range placeholders {
		fmt.Fprintf(b, "| `{%s}` | %s |\n", p.name, p.doc)
	}
	b.WriteByte('\n')
}

func manualKeys(b *strings.Builder, keys []*key) {
	b.WriteString("| key | type | default | what it is |\n|---|---|---|---|\n")
	for _, k := range keys {
		preset := "–"
		switch {
		case k.preset != "":
			preset = "`" + k.preset + "`"
		case k.required:
			preset = "required"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", k.name, k.kind.title+k.bounds(), preset, k.remark())
	}
	b.WriteByte('\n')
}

// bounds are the range and the word for zero, to stand behind the type.
func (k *key) bounds() string {
	text := ""
	if k.min != 0 || k.max != 0 {
		format := func(i int64) string { return strconv.FormatInt(i, 10) }
		switch k.kind {
		case kindTime, kindEvery:
			format = func(i int64) string { return formatDuration(time.Duration(i)) }
		case kindSize:
			format = formatSize
		}
		text = ", " + format(k.min) + " to " + format(k.max)
	}
	if k.zero != "" {
		text += ", or `\"" + k.zero + "\"`"
	}
	return text
}

// remark is the text of a key with its words, protocols and example.
func (k *key) remark() string {
	text := k.doc
	if k.choices != nil {
		text += " One of `" + strings.Join(k.choices, "`, `") + "`."
	}
	if k.only != nil {
		text += " Only with " + protocolList(k.only.protocols) + "."
	}
	if k.once {
		text += " Not in a template."
	}
	if k.example != "" {
		text += " Example: `" + k.example + "`."
	}
	return text
}

// manualProtocols shows at a glance which keys a protocol has.
func manualProtocols(b *strings.Builder) {
	b.WriteString("# Keys that not every protocol has\n\n| key | " + strings.Join(protocolNames, " | ") + " |\n|---" + strings.Repeat("|---", len(protocolNames)) + "|\n")
	for _, k := range serviceSchema().keys {
		if k.only == nil {
			continue
		}
		fmt.Fprintf(b, "| `%s` |", k.name)
		for i := range protocolNames {
			mark := " "
			if k.appliesTo(protocolAt(i)) {
				mark = " yes "
			}
			b.WriteString(mark + "|")
		}
		b.WriteByte('\n')
	}
	b.WriteString("\nWhat must be as well: fastcgi has one address, a stream; inetd has streams, or one address with datagrams and then one worker; none keeps descriptors 1 and 2 free.\n\n")
}

func manualLimits(b *strings.Builder) {
	fmt.Fprintf(b, "# Limits of the file\n\nA file has at most %s; there are at most %d services, %d files, %d addresses a service, %d elements of a list, and %d bytes of one argument or variable.\n",
		formatSize(fileBytesMax), servicesMax, filesMax, listenMax, wordsMax, wordBytesMax)
}

// manualSites shows whole files, and what systemd calls the same.
func manualSites(b *strings.Builder) {
	b.WriteString("\n# Whole files\n")
	for _, s := range sites {
		fmt.Fprintf(b, "\n## %s\n\n%s\n\n```toml\n%s```\n", s.title, s.doc, s.toml)
	}
	b.WriteString("\n# What systemd calls the same\n\n| systemd | brood.toml |\n|---|---|\n")
	for _, n := range systemdNames {
		fmt.Fprintf(b, "| %s | %s |\n", n.theirs, n.ours)
	}
}

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }
