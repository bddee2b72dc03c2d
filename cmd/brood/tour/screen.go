package tour

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/brood-project/brood/internal/demo"
)

// columns is the width of a terminal that everybody has.
const columns = 80

// Look is how the terminal wants to be written to.
type Look struct {
	// Color allows escape sequences (ECMA-48, SGR).
	Color bool
	// Unicode allows more than ASCII.
	Unicode bool
}

// The colours, by what they mean.
const (
	plain  = ""
	faint  = "2"
	strong = "1"
	good   = "32"
	warm   = "33"
	title  = "1;36"
)

// screen writes the tour. Lines of the log come from another goroutine, so each
// call writes whole lines.
type screen struct {
	mu   sync.Mutex
	out  io.Writer
	look Look
	// broken is the first error of writing; the terminal may be gone.
	broken error
}

// glyphs are the signs that are drawn, with a plain form of each.
var glyphs = strings.NewReplacer("■", "#", "□", "o", "·", ".", "│", "|", "←", "<-", "→", "->", "—", "-")

func (s *screen) paint(sgr, text string) string {
	if !s.look.Color || sgr == plain || text == "" {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// line writes one line that is painted already.
func (s *screen) line(text string) {
	if !s.look.Unicode {
		text = glyphs.Replace(text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := fmt.Fprintln(s.out, strings.TrimRight(text, " ")); err != nil && s.broken == nil {
		s.broken = err
	}
}

// scene begins a part of the tour.
func (s *screen) scene(number int, name string) {
	s.line("")
	s.line(" " + s.paint(title, fmt.Sprintf("%d  %s", number, name)))
}

// why says in a sentence what is to be seen.
func (s *screen) why(text string) {
	for _, l := range wrap(text, columns-5) {
		s.line("    " + l)
	}
}

// deed is something that the tour does to broodd, as a command would.
func (s *screen) deed(command string) {
	for i, l := range wrap("$ "+command, columns-6) {
		if i > 0 {
			l = "  " + l
		}
		s.line("    " + s.paint(strong, l))
	}
}

// logged shows a line of broodd's log as it is, but for the date and the name
// of the one service that there is.
func (s *screen) logged(text string) {
	text = strings.TrimSuffix(text, " service="+demo.Service)
	text = dateOfLog.ReplaceAllString(text, "$1")
	colour := faint
	if strings.Contains(text, " WARN ") || strings.Contains(text, " ERROR ") {
		colour = warm
	}
	for i, l := range wrap(text, columns-9) {
		if i > 0 {
			l = "  " + l
		}
		s.line("    " + s.paint(faint, "│ ") + s.paint(colour, l))
	}
}

// dateOfLog is the time of a line; the day and the time zone are known.
var dateOfLog = regexp.MustCompile(`^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d\.\d{3})\S*`)

// wrap breaks a text into lines of at most width characters. A word that is
// longer than that is cut.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for utf8.RuneCountInString(word) > width {
			runes := []rune(word)
			lines = append(lines, string(runes[:width]))
			word = string(runes[width:])
		}
		line = word
	}
	return append(lines, line)
}
