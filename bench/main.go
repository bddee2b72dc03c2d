package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bench is one run.
type bench struct {
	size  size
	tools *tools
	log   io.Writer
}

// size is how much is measured. Everything is bounded.
type size struct {
	rounds      int
	births      int   // of one contender in one round
	many        int   // services of a large configuration
	services    []int // points of the figure over services
	clients     []int // points of the figure over clients
	records     int   // status records of one round
	rest        time.Duration
	settle      time.Duration // until memory is looked at
	memory      []int         // services
	children    int           // alive in one pool
	sessions    int           // of smtpd
	messages    int
	mailRounds  int
	startRounds int
}

var (
	fullSize = size{
		rounds: 9, births: 400, many: 5000,
		services: []int{1, 100, 1000, 2500, 5000}, clients: []int{1, 2, 4, 8, 16, 32},
		records: 300_000, rest: 60 * time.Second, settle: 5 * time.Second,
		memory: []int{0, 1000, 5000}, children: 10_000,
		sessions: 400, messages: 2000, mailRounds: 5, startRounds: 5,
	}
	quickSize = size{
		rounds: 2, births: 10, many: 20,
		services: []int{1, 20}, clients: []int{1, 4},
		records: 2000, rest: time.Second, settle: 100 * time.Millisecond,
		memory: []int{0, 20}, children: 20,
		sessions: 4, messages: 8, mailRounds: 1, startRounds: 1,
	}
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the command. Progress goes to log, the table to out.
func run(args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(log)
	only := flags.String("row", "", "comma-separated numbers of `rows`; all by default")
	quick := flags.Bool("quick", false, "a smoke test: small counts")
	rounds := flags.Int("rounds", 0, "`number` of rounds in the place of the usual")
	ours := flags.String("ours", "", "`binary` to measure in the place of one that is built now")
	stock := flags.String("stock", stockMaster, "`binary` of master to compare with, such as an older one of ours")
	dir := flags.String("out", "", "`directory` to write RESULTS.md and the figures to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := chooseRows(*only)
	if err != nil {
		return err
	}
	b := &bench{size: fullSize, log: log}
	if *quick {
		b.size = quickSize
	}
	if *rounds > 0 {
		b.size.rounds, b.size.mailRounds, b.size.startRounds = *rounds, *rounds, *rounds
	}
	if b.tools, err = makeTools(*ours, *stock); err != nil {
		return err
	}
	defer b.tools.remove()
	results, err := b.measure(chosen)
	if err != nil {
		return err
	}
	facts := machineFacts(b.tools)
	if err := writeTable(out, facts, results); err != nil {
		return err
	}
	if *dir == "" {
		return nil
	}
	return writeResults(*dir, facts, results)
}

// row is one line of the table of goals, or several that are measured together.
type row struct {
	number  int
	what    string
	measure func(*bench) (*result, error)
}

var rows = []row{
	{1, "birth, 1 service, 1 client", birthOne},
	{2, "births beside many services", birthMany},
	{3, "births, several clients at once", birthClients},
	{4, "status records", statusRecords},
	{5, "memory", memoryAtRest},
	{6, "wake-ups at rest", wakeUps},
	{7, "start and reload", startAndReload},
	{8, "many children in one pool", manyChildren},
	{9, "Postfix: sessions of smtpd with max_use = 1", smtpSessions},
	{10, "Postfix: messages with ordinary settings", mailDelivery},
	{11, "native-warm: brood.toml, a warm pool", nativeWarm},
	{12, "native-birth: brood.toml, births by protocol", nativeBirth},
	{13, "native-cold: brood.toml, programs of others", nativeCold},
}

func chooseRows(only string) ([]row, error) {
	if only == "" {
		return rows, nil
	}
	var chosen []row
	for word := range strings.SplitSeq(only, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		i := slices.IndexFunc(rows, func(r row) bool { return r.number == n })
		if err != nil || i < 0 {
			return nil, fmt.Errorf("cannot choose row %q: there are 1 to %d", word, len(rows))
		}
		chosen = append(chosen, rows[i])
	}
	return chosen, nil
}

func (b *bench) measure(chosen []row) ([]*result, error) {
	var results []*result
	for _, r := range chosen {
		fmt.Fprintf(b.log, "%s  row %d: %s\n", time.Now().Format(time.TimeOnly), r.number, r.what)
		res, err := r.measure(b)
		if err != nil {
			return nil, fmt.Errorf("row %d (%s): %w", r.number, r.what, err)
		}
		res.row = r
		results = append(results, res)
		for _, f := range res.figures {
			fmt.Fprintf(b.log, "          %s\n", f.line())
		}
	}
	return results, nil
}
