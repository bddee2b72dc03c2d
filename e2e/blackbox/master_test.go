package blackbox

import (
	"slices"
	"testing"
)

// row is one promise that both masters keep.
type row struct {
	name string // the subtest: TestMaster/MASTER/name
	says string
	run  func(t *testing.T, m master)
}

// difference is one promise that brood keeps and Postfix does not, or keeps
// otherwise. Each side has its own expectation, asserted on that side alone.
type difference struct {
	name    string
	postfix string // what Postfix does
	ours    string // what brood does
	onStock func(t *testing.T, m master)
	onBrood func(t *testing.T, m master)
}

// row is the difference as a row of the table.
func (d difference) row() row {
	return row{d.name, d.postfix + "; ours: " + d.ours, func(t *testing.T, m master) {
		if m.ours() {
			d.onBrood(t, m)
		} else {
			d.onStock(t, m)
		}
	}}
}

// contract is the whole table, in the order of docs/compat.md.
func contract() []row {
	all := slices.Concat(lifeRows, reloadRows, stopRows, birthRows, statusRows, argumentRows,
		endpointRows, commandRows, mainRows, logRows, hostileRows)
	for _, d := range differences {
		all = append(all, d.row())
	}
	return all
}

// TestMaster holds both masters against the contract.
func TestMaster(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	t.Run("stock", func(t *testing.T) { runContract(t, stockMaster(t)) })
	t.Run("brood", func(t *testing.T) { runContract(t, broodMaster(t)) })
}

func runContract(t *testing.T, m master) {
	for _, r := range contract() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.run(t, m)
		})
	}
}
