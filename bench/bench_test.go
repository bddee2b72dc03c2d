package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestQuick runs three rows with small counts. Their numbers mean nothing; that
// there are any, and a table and figures of them, is what is tested.
func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	dir := t.TempDir()
	var out, log bytes.Buffer
	if err := run([]string{"-quick", "-row", "2,4,12", "-out", dir}, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	for _, want := range []string{"| 2 | birth at 20 services, against 1 |", "| 2 | births at 20 services |", "| 4 | status records |", "| 12 | birth by protocol fastcgi |", "| kernel |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no line %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "| ? |") || strings.Contains(out.String(), "NaN") {
		t.Errorf("a number is missing in\n%s", out.String())
	}
	results, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	if err != nil || !strings.Contains(string(results), "latency.svg") {
		t.Errorf("RESULTS.md: %v\n%s", err, results)
	}
	wellFormed(t, filepath.Join(dir, "latency.svg"))
}

func wellFormed(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
}

func TestRatios(t *testing.T) {
	f := &figure{ours: []float64{1, 2, 30}, peer: []float64{2, 2, 10}, goal: goal{atMost, 1}}
	if got := spreadOf(f.values()); got != (spread{0.75, 1, 2}) {
		t.Errorf("spread %v", got)
	}
	if v := f.goal.verdict(1.01); v != "**miss**" {
		t.Errorf("1.01 against at most 1: %s", v)
	}
	if v := (goal{atLeast, 5}).verdict(5); v != "pass" {
		t.Errorf("5 against at least 5: %s", v)
	}
}

func TestChooseRows(t *testing.T) {
	chosen, err := chooseRows("10, 3")
	if err != nil || len(chosen) != 2 || chosen[0].number != 10 || chosen[1].number != 3 {
		t.Errorf("%v, %v", chosen, err)
	}
	if _, err := chooseRows("14"); err == nil {
		t.Error("row 14 was found")
	}
}

// TestChart holds that names stay apart and that what is drawn stays inside.
func TestChart(t *testing.T) {
	flat := []spread{{1, 1, 1}, {1, 1, 1}}
	c := &chart{xs: []int{1, 10}, lines: []chartLine{{name: "a", ys: flat}, {name: "b", ys: flat}, {name: "c", ys: flat}}}
	places := c.namePlaces()
	for i, p := range places {
		for _, q := range places[:i] {
			if max(p-q, q-p) < nameGap-1 {
				t.Errorf("names at %v", places)
			}
		}
	}
	if y := c.y(1); y < plotTop || y > plotBottom {
		t.Errorf("1 is drawn at %g", y)
	}
}
