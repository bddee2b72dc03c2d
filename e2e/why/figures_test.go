package why

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/brood-project/brood/internal/ports"
)

// figure is the sum of a metric over all its labels, as the format's own parser
// reads it, for series that have a certain label or, with "", for all.
func (d *daemon) figure(name, label string) float64 {
	d.Helper()
	out, err := d.brood("status", "--prometheus")
	must(d, err)
	if problems, err := promlint.New(strings.NewReader(out)).Lint(); err != nil || len(problems) > 0 {
		d.Fatalf("promlint: %v %v", problems, err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(out))
	must(d, err)
	sum := 0.0
	for _, m := range families[name].GetMetric() {
		if strings.Contains(m.String(), strconv.Quote(label)) || label == "" {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// TestFigures holds the metrics against what is counted from outside: by us, who
// are the clients, and by ss(8), who asks the kernel.
func TestFigures(t *testing.T) {
	t.Parallel()
	const limit, clients = 2, 7
	d, port := newDaemon(t), ports.Free(t)
	script("read x; [ \"$x\" = good ]")(d)
	d.configure(one(port, program, fmt.Sprintf("workers.max = %d", limit)))
	d.start()
	conns := make([]net.Conn, clients)
	for i := range conns {
		conns[i] = d.connect(port)
	}
	d.eventually("all workers are busy", func() bool { return d.figure("brood_workers", "busy") == limit })
	if got, kernel := d.figure("brood_queue_clients", ""), recvQueue(t, port); got != float64(kernel) || kernel != clients-limit {
		t.Errorf("%v clients wait, ss counts %d, and we know of %d", got, kernel, clients-limit)
	}
	good := 0
	for i, c := range conns {
		word := "bad"
		if i%2 == 0 {
			word = "good"
			good++
		}
		fmt.Fprintln(c, word)
	}
	d.eventually("all clients have been served", func() bool { return d.figure("brood_deaths_total", "") == clients })
	for _, row := range []struct {
		name, label string
		want        int
	}{
		{"brood_births_total", "", clients},
		{"brood_clients_total", "", clients},
		{"brood_deaths_total", "done", good},
		{"brood_deaths_total", "failed", clients - good},
		{"brood_queue_clients", "", recvQueue(t, port)},
		{"brood_workers", "", 0},
	} {
		if got := d.figure(row.name, row.label); got != float64(row.want) {
			t.Errorf("%s %s is %v, want %d", row.name, row.label, got, row.want)
		}
	}
}

// recvQueue is how many clients the kernel holds for a port.
func recvQueue(t *testing.T, port int) int {
	t.Helper()
	out, err := exec.Command("ss", "-Hltn", fmt.Sprintf("sport = :%d", port)).Output()
	must(t, err)
	f := strings.Fields(string(out))
	var n int
	if len(f) < 2 {
		t.Fatalf("ss knows nothing of port %d: %q", port, out)
	}
	if _, err := fmt.Sscan(f[1], &n); err != nil {
		t.Fatal(err)
	}
	return n
}
