package blackbox

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const compatTable = "../../docs/compat.md"

// TestCompatTable holds docs/compat.md and the suite against each other: every
// row of one is a row of the other, in the same words.
func TestCompatTable(t *testing.T) {
	text, err := os.ReadFile(compatTable)
	if err != nil {
		t.Fatal(err)
	}
	documented := documentedRows(string(text))
	tested := map[string][]string{}
	for _, r := range slices.Concat(lifeRows, reloadRows, stopRows, birthRows, statusRows, argumentRows,
		endpointRows, commandRows, mainRows, logRows, hostileRows) {
		tested[r.name] = []string{r.says}
	}
	for _, d := range differences {
		tested[d.name] = []string{d.postfix, d.ours}
	}
	for name, words := range tested {
		switch cells, there := documented[name]; {
		case !there:
			t.Errorf("%s does not list %s", compatTable, name)
		case !slices.Equal(cells[:len(words)], words):
			t.Errorf("%s says of %s\n%q, the suite\n%q", compatTable, name, cells[:len(words)], words)
		}
	}
	for name := range documented {
		if tested[name] == nil {
			t.Errorf("%s lists %s, which is not in the suite", compatTable, name)
		}
	}
	if len(tested) != len(contract()) {
		t.Errorf("%d rows have %d names", len(contract()), len(tested))
	}
}

var documentedName = regexp.MustCompile("^`([a-z0-9/-]+)`$")

// documentedRows are the cells of every table row that ends in the name of a
// test.
func documentedRows(text string) map[string][]string {
	rows := map[string][]string{}
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if match := documentedName.FindStringSubmatch(cells[len(cells)-1]); match != nil {
			rows[match[1]] = cells
		}
	}
	return rows
}
