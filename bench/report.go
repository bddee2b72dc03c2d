package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// writeTable writes all figures in Markdown.
func writeTable(w io.Writer, facts []fact, results []*result) error {
	var b bytes.Buffer
	b.WriteString("| # | figure | brood | peer | ratio, median | quartiles | goal | |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		for _, f := range r.figures {
			b.WriteString(f.row(r.row.number))
		}
	}
	b.WriteString("\nWhere no peer is named, the number is brood's own and stands in the column of the ratio.\n\n")
	for _, r := range results {
		for _, note := range r.notes {
			fmt.Fprintf(&b, "- **%d** %s\n", r.row.number, note)
		}
	}
	b.WriteString("\n| the machine | |\n|---|---|\n")
	for _, f := range facts {
		fmt.Fprintf(&b, "| %s | %s |\n", f.name, f.value)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// row is the figure as a line of the table.
func (f *figure) row(number int) string {
	s := spreadOf(f.values())
	ours, peer, unit := "", "", ""
	if f.peer != nil {
		ours = fmt.Sprintf("%s %s", short(median(f.ours)), f.unit)
		peer = fmt.Sprintf("%s %s %s", f.peerName, short(median(f.peer)), f.unit)
	} else if f.unit != "" {
		unit = " " + f.unit
	}
	return fmt.Sprintf("| %d | %s | %s | %s | %s%s | %s – %s | %s | %s |\n", number, f.what, ours, peer,
		short(s.median), unit, short(s.low), short(s.high), f.goal, f.goal.verdict(s.median))
}

// writeResults writes RESULTS.md and the figures into a directory.
func writeResults(dir string, facts []fact, results []*result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("# Results\n\nWritten by `make bench`. What is compared ran in one run, taking turns; what counts is the ratio\n" +
		"within one round. See [doc.go](doc.go) for how, and [the profile](../docs/design/006-speed.md) for why.\n\n")
	if err := writeTable(&b, facts, results); err != nil {
		return err
	}
	for _, r := range results {
		for _, c := range r.charts {
			if err := os.WriteFile(filepath.Join(dir, c.file), c.svg(), 0o644); err != nil {
				return err
			}
			fmt.Fprintf(&b, "\n![%s](%s)\n", c.title, c.file)
		}
	}
	return os.WriteFile(filepath.Join(dir, "RESULTS.md"), b.Bytes(), 0o644)
}
