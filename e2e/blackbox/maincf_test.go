package blackbox

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

var mainRows = []row{
	{"main/expansion", "every form of expansion, as a child's environment shows it", mainExpansion},
	{"main/comments-and-continuations", "comments and blank lines are skipped, inside a logical line too; white space continues it", mainContinuations},
	{"main/last-setting-wins", "the last setting of a name wins", mainLastWins},
	{"main/time-units", "times take s, m, h, d and w; seconds without", mainTimes},
	{"main/bad-values", "a value that makes no sense is a fatal line that names it", mainBad},
	{"main/no-protocols", "without any protocol inet services are disabled, with two warnings", mainNoProtocols},
	{"main/defaults", "what main.cf does not set has the default of the installed Postfix", mainDefaults},
}

// mainExpansion shows each expression's value through import_environment.
func mainExpansion(t *testing.T, m master) {
	table := []struct{ expression, want string }{
		{"$full", "value"},
		{"${full}", "value"},
		{"$(full)", "value"},
		{"$$full", "$full"},
		{"<$empty>", "<>"},
		{"<$undefined_name>", "<>"},
		{"$indirect", "value"},
		{"$full$full", "valuevalue"},
		{"${full}text", "valuetext"},
		{"${full?yes}", "yes"},
		{"<${empty?yes}>", "<>"},
		{"<${full:no}>", "<>"},
		{"${empty:no}", "no"},
		{"${full?$indirect}", "value"},
		{"${empty:$full}", "value"},
		{"${full?{yes}:{no}}", "yes"},
		{"${empty?{yes}:{no}}", "no"},
		{"${full?{$full}}", "value"},
		{"${empty:{a b}}", "a b"},
		{"${{a} == {a} ? {yes} : {no}}", "yes"},
		{"${{a} == {b} ? {yes} : {no}}", "no"},
		{"${{a} != {b} ? {yes} : {no}}", "yes"},
		{"${{10} < {9} ? {yes} : {no}}", "no"},
		{"${{10} <= {10} ? {yes} : {no}}", "yes"},
		{"${{10} > {9} ? {yes} : {no}}", "yes"},
		{"${{10} >= {11} ? {yes} : {no}}", "no"},
		{"${{b10} < {b9} ? {yes} : {no}}", "yes"},
		{"${{$full} == {value} ? {$indirect} : {no}}", "value"},
		{"${{a} == {a} ? {yes}}", "yes"},
		{"<${{a} == {b} ? {yes}}>", "<>"},
	}
	in := newInstance(t, m)
	var imports []string
	for i, row := range table {
		imports = append(imports, fmt.Sprintf("{ X%d = %s }", i, row.expression))
	}
	in.set("full = value", "empty =", "indirect = $again", "again = ${full}",
		"import_environment = MAIL_CONFIG "+strings.Join(imports, " "))
	in.service(rawService)
	in.start()
	got := environmentMap(environmentOf(t, in.raw()))
	for i, row := range table {
		if value := got["X"+strconv.Itoa(i)]; value != row.want {
			t.Errorf("%s is %q, not %q", row.expression, value, row.want)
		}
	}
}

// text puts lines into main.cf as they are.
func (in *instance) text(lines ...string) { in.params = append(in.params, lines...) }

func mainContinuations(t *testing.T, m master) {
	in := newInstance(t, m)
	in.text("# a comment", "", "   ", "full   =   one",
		"# inside", "", "  two", "\t# inside, too", "\tthree   ", "#end",
		"import_environment = MAIL_CONFIG", "  { X =", "     $full }")
	in.service(rawService)
	in.start()
	if got := environmentMap(environmentOf(t, in.raw()))["X"]; strings.Join(fieldsOf(got), " ") != "one two three" {
		t.Errorf("the value is %q", got)
	}
}

func mainLastWins(t *testing.T, m master) {
	in := newInstance(t, m)
	in.text("twice = one", "import_environment = MAIL_CONFIG X=$twice", "twice = two")
	in.service(rawService)
	in.start()
	if got := environmentMap(environmentOf(t, in.raw()))["X"]; got != "two" {
		t.Errorf("the value is %q", got)
	}
}

func mainTimes(t *testing.T, m master) {
	for value, throttle := range map[string]time.Duration{"2s": 2 * time.Second, "3": 3 * time.Second, "1m": 0, "1h": 0, "1d": 0, "1w": 0} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			in := newInstance(t, m)
			in.set("service_throttle_time = " + value)
			in.service("svc unix - - n - 1 fake")
			in.start()
			in.dial("svc")
			c := in.child("svc")
			before := time.Now()
			c.exit(1)
			in.log.wait(t, "bad command startup -- throttling")
			if throttle > 0 {
				in.afterThrottle("svc", before, throttle).take()
			} else {
				in.noBirth() // nobody waits for a minute
			}
		})
	}
}

func mainBad(t *testing.T, m master) {
	for _, wrong := range []struct{ setting, names string }{
		{"service_throttle_time = 1y", "service_throttle_time"},
		{"service_throttle_time = soon", "service_throttle_time"},
		{"default_process_limit = many", "default_process_limit"},
		{"mail_owner = no-such-user", "mail_owner"},
		{"inet_interfaces = no-such-host.invalid", "no-such-host.invalid"},
		{"inet_protocols = ipx", "ipx"},
		{"queue_directory = /no/such/directory", "/no/such/directory"},
		{"this is no setting", "this is no setting"},
	} {
		t.Run(strings.ReplaceAll(wrong.setting, "/", "|"), func(t *testing.T) {
			t.Parallel()
			in := newInstance(t, m)
			in.ownSyslog()
			in.set(wrong.setting)
			if status, _ := in.runToEnd(); status == 0 {
				t.Errorf("exit status 0")
			}
			if line := in.log.wait(t, "^fatal: "); !strings.Contains(line.Text, wrong.names) {
				t.Errorf("the line does not name %s: %s", wrong.names, line.Text)
			}
		})
	}
}

func mainNoProtocols(t *testing.T, m master) {
	in := newInstance(t, m)
	in.ownSyslog()
	in.set("inet_protocols =")
	in.service(in.host+":25 inet n - n - 1 fake", "svc unix - - n - 1 fake")
	in.launch()
	in.log.want(t, "warning: all network protocols are disabled (inet_protocols = )")
	in.log.want(t, `warning: disabling all type "inet" services in master.cf`)
	in.log.wait(t, "^info: daemon started")
	in.dial("svc")
	in.child("svc").accept()
}

func mainDefaults(t *testing.T, m master) {
	in := newInstance(t, m)
	in.set("import_environment = MAIL_CONFIG { PORTS = $known_tcp_ports } { COMMANDS = $command_directory } { GROUP = $setgid_group }")
	in.service(rawService)
	in.start()
	got := environmentMap(environmentOf(t, in.raw()))
	for name, parameter := range map[string]string{"PORTS": "known_tcp_ports", "COMMANDS": "command_directory", "GROUP": "setgid_group"} {
		if want := postconf(t, parameter); got[name] != want {
			t.Errorf("%s is %q in a child and %q for postconf -d", parameter, got[name], want)
		}
	}
}
