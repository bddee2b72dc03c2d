package view

import (
	"strings"
	"unicode/utf8"

	"github.com/brood-project/brood/internal/scoreboard"
)

// Look is how the output wants to be drawn.
type Look struct {
	// Width is how many characters a line may have.
	Width int
	// Height is how many lines a terminal shows at one time; 0 where it is none.
	Height int
	// Color allows escape sequences (ECMA-48, SGR).
	Color bool
	// Unicode allows more than ASCII.
	Unicode bool
}

// colour is an SGR sequence, by what it means.
type colour string

const (
	plain  colour = ""
	strong colour = "1"
	faint  colour = "2"
	good   colour = "32"
	warn   colour = "33"
	bad    colour = "31"
	alarm  colour = "1;31"
)

// wellness is the colour of a health.
var wellness = map[scoreboard.Health]colour{scoreboard.Ready: good, scoreboard.Degraded: warn, scoreboard.Failing: alarm}

func (l Look) paint(c colour, text string) string {
	if !l.Color || c == plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// ascii has a plain form of each sign that is drawn.
var ascii = strings.NewReplacer("…", "..", "·", "-", "→", "->", "—", "-", "└", "`", "−", "-")

// sign is a text that Unicode makes prettier.
func (l Look) sign(text string) string {
	if l.Unicode {
		return text
	}
	return ascii.Replace(text)
}

// cut shortens a text to so many characters, and says so.
func (l Look) cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	end := l.sign("…")
	keep := max(width-utf8.RuneCountInString(end), 0)
	return string([]rune(text)[:keep]) + end
}

// printable keeps what a program has said from changing the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == utf8.RuneError {
			return '?'
		}
		return r
	}, text)
}

func pad(n int) string { return strings.Repeat(" ", max(n, 0)) }

// sides puts one text at the left and one at the right edge of a line. Widths
// are those of the unpainted texts.
func (l Look) sides(left, right string, leftWidth, rightWidth int) string {
	return left + pad(max(l.Width-leftWidth-rightWidth, 2)) + right
}
