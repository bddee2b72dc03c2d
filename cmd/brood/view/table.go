package view

import (
	"strings"
	"unicode/utf8"
)

// column is one of a table.
type column struct {
	title string
	// right aligns numbers.
	right bool
	// rank says how readily the column is left out where the line is too short
	// for all: the highest goes first, and those of rank 0 stay.
	rank int
	// least is how narrow the column may be made before others are left out; 0
	// for as wide as its longest text.
	least int
	// always shows the column also when all its cells are empty.
	always bool
}

// cell is a text and its colour.
type cell struct {
	text string
	as   colour
}

// table is drawn so that it fits the line.
type table struct {
	columns []column
	rows    [][]cell
	// below holds a text under a row, or "".
	below []string
}

func (t *table) add(below string, cells ...cell) {
	t.rows = append(t.rows, cells)
	t.below = append(t.below, below)
}

const gap = 2

// draw renders the table, each line behind an indent.
func (t *table) draw(l Look, indent string) string {
	shown, widths := t.fit(l.Width - len(indent))
	var b strings.Builder
	titles := make([]cell, len(t.columns))
	for i, c := range t.columns {
		titles[i] = cell{c.title, faint}
	}
	t.line(&b, l, indent, titles, shown, widths)
	for i, row := range t.rows {
		t.line(&b, l, indent, row, shown, widths)
		if t.below[i] != "" {
			b.WriteString(l.paint(faint, indent+l.sign("  └ ")+l.cut(l.sign(t.below[i]), l.Width-len(indent)-4)) + "\n")
		}
	}
	return b.String()
}

// fit chooses the columns, and how wide each is.
func (t *table) fit(width int) (shown []bool, widths []int) {
	shown, widths = make([]bool, len(t.columns)), make([]int, len(t.columns))
	for i, c := range t.columns {
		shown[i] = c.always
		widths[i] = utf8.RuneCountInString(c.title)
		for _, row := range t.rows {
			n := utf8.RuneCountInString(row[i].text)
			shown[i] = shown[i] || row[i].text != "" && row[i].text != none
			widths[i] = max(widths[i], n)
		}
	}
	for t.total(shown, widths) > width &&
		(t.leaveOut(shown, rankLittle) || t.shrink(shown, widths, width) || t.leaveOut(shown, 1)) {
		continue
	}
	return shown, widths
}

func (t *table) total(shown []bool, widths []int) int {
	sum := -gap
	for i, w := range widths {
		if shown[i] {
			sum += w + gap
		}
	}
	return sum
}

// shrink narrows a column that may be narrower.
func (t *table) shrink(shown []bool, widths []int, width int) bool {
	for i, c := range t.columns {
		if over := t.total(shown, widths) - width; shown[i] && c.least > 0 && widths[i] > c.least {
			widths[i] = max(widths[i]-over, c.least)
			return true
		}
	}
	return false
}

// rankLittle is from which rank on a column goes before another is narrowed.
const rankLittle = 5

// leaveOut hides the column that matters least, of those of so high a rank.
func (t *table) leaveOut(shown []bool, from int) bool {
	worst := -1
	for i, c := range t.columns {
		if shown[i] && c.rank >= from && (worst < 0 || c.rank > t.columns[worst].rank) {
			worst = i
		}
	}
	if worst < 0 {
		return false
	}
	shown[worst] = false
	return true
}

func (t *table) line(b *strings.Builder, l Look, indent string, cells []cell, shown []bool, widths []int) {
	line := indent
	for i, c := range cells {
		if !shown[i] {
			continue
		}
		text := l.cut(l.sign(c.text), widths[i])
		if c.text == none {
			c.as = faint
		}
		space := pad(widths[i] - utf8.RuneCountInString(text))
		if t.columns[i].right {
			line += space + l.paint(c.as, text)
		} else {
			line += l.paint(c.as, text) + space
		}
		line += pad(gap)
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
