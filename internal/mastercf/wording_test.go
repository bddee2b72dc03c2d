package mastercf

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/plan"
)

// wordings are what Debian's stock master 3.7.11 logged for a faulty file, as
// observed. FILE stands for the file, and the fault must be at the line.
var wordings = []struct {
	main, master string
	severity     plan.Severity
	line         int
	want         string
}{
	{"", "foo\n", plan.Error, 1, `MASTER: line 1: missing "transport type" field`},
	{"", "\n# x\nfoo unix\n", plan.Error, 3, `MASTER: line 3: missing "private" field`},
	{"", "foo udp\n", plan.Error, 1, `MASTER: line 1: bad transport type: udp`},
	{"", "foo {unix} - - - - 1 p\n", plan.Error, 1, `MASTER: line 1: bad transport type: {unix}`},
	{"", "foo - - - - - 1 p\n", plan.Error, 1, `MASTER: line 1: field "transport type" has no default value`},
	{"", "foo unix - - - - 1 -\n", plan.Error, 1, `MASTER: line 1: field "command" has no default value`},
	{"", "foo unix Y - - - 1 p\n", plan.Error, 1, `MASTER: line 1: field "private": bad value: "Y"`},
	{"", "foo unix - x - - 1 p\n", plan.Error, 1, `MASTER: line 1: field "unprivileged": bad value: "x"`},
	{"", "foo unix - - x - 1 p\n", plan.Error, 1, `MASTER: line 1: field "chroot": bad value: "x"`},
	{"", "foo unix -\n -\n - ? 1 p\n", plan.Error, 3, `MASTER: line 1: field "wakeup_time": bad value: "?"`},
	{"", "foo unix - - - -5 1 p\n", plan.Error, 1, `MASTER: line 1: field "wakeup_time": bad value: "-5"`},
	{"", "foo unix - - - 5 -1 p\n", plan.Error, 1, `MASTER: line 1: field "max_proc": bad value: "-1"`},
	{"", "foo unix - - - 5\n", plan.Error, 1, `MASTER: line 1: missing "max_proc" field`},
	{"", "foo unix - - - 5 1\n", plan.Error, 1, `MASTER: line 1: missing "command" field`},
	{"", "foo unix - - - 5 1 p {a b\n", plan.Error, 1, `MASTER: line 1: missing '}' in "{a b"`},
	{"", "foo unix - - - 5 1 p {a}{b}\n", plan.Error, 1, `MASTER: line 1: syntax error after '}' in "{a}{b}"`},
	{"", "25 inet - - - - - p\n", plan.Error, 1, `MASTER: line 1: inet service cannot be private`},
	{"", "a:b:c inet n - - - - p\n", plan.Error, 1, `MASTER: line 1: valid hostname or network address required in "a:b:c"`},
	{"", "127.1:25 inet n - - - - p\n", plan.Error, 1, `MASTER: line 1: valid hostname or network address required in "127.1:25"`},
	{"", "[]:25 inet n - - - - p\n", plan.Error, 1, `MASTER: line 1: valid hostname or network address required in "[]:25"`},
	{"", "[] inet n - - - - p\n", plan.Error, 1, `MASTER: line 1: missing service information in "[]"`},
	{"", "127.0.0.1: inet n - - - - p\n", plan.Error, 1, `MASTER: line 1: missing service information in "127.0.0.1:"`},
	{"", "[::1:25 inet n - - - - p\n", plan.Error, 1, `MASTER: line 1: missing "]" in "[::1:25"`},
	{"", "[127.0.0.1]25 inet n - - - - p\n", plan.Error, 1, `MASTER: line 1: garbage after "]" in "[127.0.0.1]25"`},
	{"", "127.0.0.1:25x inet n - - - - p\n", plan.Error, 1, `MASTER: line 1: garbage after numerical service in "127.0.0.1:25x"`},
	{"", "nosuch.invalid:25 inet n - - - - p\n", plan.Error, 1, `MASTER: line 1: bad hostname or network address: nosuch.invalid:25`},
	{"inet_protocols = ipv4", "[::1]:25 inet n - - - - p\n", plan.Error, 1, `MASTER: line 1: bad hostname or network address: [::1]:25`},
	{"inet_interfaces =", "25 inet n - - - - p\n", plan.Error, 1, `MASTER: line 1: no valid IP address found: 25`},
	{"inet_interfaces = 127.0.0.1", "LMTP inet n - - - - p\n", plan.Error, 1, `127.0.0.1:LMTP: Servname not supported for ai_socktype`},
	{"", "foo unix - - - - 1 p\nfoo unix - - - - 2 p\n", plan.Warning, 2, `duplicate master.cf entry for service "foo" (private/foo) -- using the last entry`},
	{"", "smtps inet n - - - 0 p\n465 inet n - - - 0 p\n", plan.Warning, 2, `duplicate master.cf entry for service "smtps" (465) -- using the last entry`},
	{"", "  foo unix - - - - 1 p\n", plan.Warning, 1, `MASTER: logical line must not start with whitespace: "  foo unix - - - - 1 p"`},
	{"compatibility_level = 0.9", "foo unix - - - - 1 p\n", plan.Warning, 1, `MASTER: line 1: using backwards-compatible default setting chroot=y`},
	{"foo", "", plan.Error, 2, `MAIN, line 2: missing '=' after attribute name: "foo"`},
	{"a b = c", "", plan.Error, 2, `MAIN, line 2: missing '=' after attribute name: "a b = c"`},
	{"=x", "", plan.Error, 2, `MAIN, line 2: missing attribute name: "=x"`},
	{"y=1\ny=2", "", plan.Warning, 3, `MAIN, line 3: overriding earlier entry: y=1`},
	{"inet_protocols = ipv4 ipv5", "", plan.Error, 2, `unknown inet_protocols value "ipv5" in "ipv4 ipv5"`},
	{"inet_protocols =", "25 inet n - - - - p\n", plan.Warning, 2, "all network protocols are disabled (inet_protocols = )\ndisabling all type \"inet\" services in master.cf"},
	{"inet_interfaces = nosuch.invalid", "", plan.Error, 2, `config variable inet_interfaces: host not found: nosuch.invalid`},
	{"inet_interfaces = ALL", "", plan.Error, 2, `config variable inet_interfaces: host not found: ALL`},
	{"inet_interfaces = 9.9.9.9", "", plan.Error, 2, `parameter inet_interfaces: no local interface found for 9.9.9.9`},
	{"service_throttle_time = 0", "", plan.Error, 2, `invalid service_throttle_time: 0 (min 1)`},
	{"service_throttle_time = 1 h", "", plan.Error, 2, `parameter service_throttle_time: bad time value or unit: 1 h`},
	{"default_process_limit = 3x", "", plan.Error, 2, `bad numerical configuration: default_process_limit = 3x`},
	{"default_process_limit = 0", "", plan.Error, 2, `invalid default_process_limit parameter value 0 < 1`},
	{"mail_owner = nosuch", "", plan.Error, 2, `file MAIN: parameter mail_owner: unknown user name value: nosuch`},
	{"mail_owner = root", "", plan.Error, 2, `file MAIN: parameter mail_owner: user root has privileged user ID`},
	{"queue_directory =", "", plan.Error, 2, `bad string length 0 < 1: queue_directory = `},
	{"syslog_facility = bogus", "", plan.Error, 2, `file MAIN: parameter syslog_facility: unrecognized value: bogus`},
	{"maillog_file = /etc/x", "", plan.Error, 2, `maillog_file value '/etc/x' does not match any prefix in maillog_file_prefixes`},
	{"compatibility_level = x", "", plan.Error, 2, `malformed compatibility level syntax: "x"`},
	{"known_tcp_ports = foo", "", plan.Warning, 2, `known_tcp_ports: in "foo" is not in "name = value" form`},
	{"known_tcp_ports = foo=bar", "", plan.Warning, 2, `known_tcp_ports: in "foo=bar": non-numerical service port`},
	{"known_tcp_ports = foo=", "", plan.Warning, 2, `known_tcp_ports: in "foo=": missing port value after "="`},
	{"known_tcp_ports = a=3,b=c=4 d = 5", "", plan.Warning, 2, `known_tcp_ports: in "b=c=4 d = 5": whitespace in service name`},
	{"known_tcp_ports = e=1 2", "", plan.Warning, 2, `known_tcp_ports: in "e=1 2": whitespace in port number`},
	{"import_environment = { a", "", plan.Error, 2, `import_environment: missing '}' in "{ a"`},
	{"import_environment = {a=b}c=d", "", plan.Error, 2, `import_environment: syntax error after '}' in "{a=b}c=d"`},
	{"import_environment = =b", "", plan.Error, 2, `clean_env: missing attribute name in: =b`},
	{"import_environment = { a b = c }", "", plan.Error, 2, `clean_env: missing '=' after attribute name in: a b = c`},
	{"syslog_name = ${a", "", plan.Error, 2, `truncated macro reference: "${a"`},
	{"syslog_name = ${}", "", plan.Error, 2, `empty macro name: "${}"`},
	{"syslog_name = $", "", plan.Error, 2, `empty macro name: "$"`},
	{"syslog_name = $syslog_name", "", plan.Error, 2, `unreasonable macro call nesting: "syslog_name"`},
	{"syslog_name = ${-}", "", plan.Error, 2, `attribute name syntax error at: "...>>>-"`},
	{"syslog_name = ${ a b}", "", plan.Error, 2, `attribute name syntax error at: "... a>>> b"`},
	{"syslog_name = ${a?{b}c}", "", plan.Error, 2, `":" expected at: "...b}>>>c"`},
	{"syslog_name = ${a:{c}d}", "", plan.Error, 2, `unexpected input at: "...c}>>>d"`},
	{"syslog_name = ${{a} == b}", "", plan.Error, 2, `"{expression}" expected at: "...{a} ==>>> b"`},
	{"syslog_name = ${{a} ==x {b}}", "", plan.Error, 2, `bad operator suffix at: "...==>>>x"`},
	{"syslog_name = ${{a} == {b} c}", "", plan.Error, 2, `"?" or ":" expected at: "...}>>>c"`},
	{"syslog_name = ${{a} ~ {b}}", "", plan.Error, 2, `"==" or "!="" or "<"" or "<="" or ">="" or ">" expected at: "...a}>>>~ {b}"`},
}

// loadTexts loads a configuration of the given files on the fake machine.
func loadTexts(t testing.TB, dir, mainCF, masterCF string, adjust func(*Options)) (*Config, plan.Diagnostics) {
	t.Helper()
	writeConfig(t, dir, mainCF, masterCF)
	o := Options{Dir: dir, Lookups: fakeLookups()}
	if adjust != nil {
		adjust(&o)
	}
	return Load(o)
}

func TestFaultsAreWordedAsByPostfix(t *testing.T) {
	dir := t.TempDir()
	paths := strings.NewReplacer("MASTER", filepath.Join(dir, "master.cf"), "MAIN", filepath.Join(dir, "main.cf"))
	for _, w := range wordings {
		main := w.main
		if !strings.Contains(main, "compatibility_level") {
			main = "compatibility_level = 3.6\n" + main
		} else {
			main = "# set below\n" + main
		}
		config, diagnostics := loadTexts(t, dir, main, w.master, nil)
		want := paths.Replace(w.want)
		found := false
		for _, d := range diagnostics {
			first, _, _ := strings.Cut(d.Postfix, "\ndictionary")
			found = found || first == want && d.Severity == w.severity && d.Pos.Line == w.line && d.Instead != ""
		}
		if !found {
			t.Errorf("main.cf %q, master.cf %q\nwant %q at line %d\n got %+v", w.main, w.master, want, w.line, diagnostics)
		}
		if failed := w.severity == plan.Error; (config.Plan == nil) != failed {
			t.Errorf("main.cf %q, master.cf %q: there is a plan: %v", w.main, w.master, !failed)
		}
	}
}

func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	config, diagnostics := Load(Options{Dir: dir, Lookups: fakeLookups()})
	if config.Plan != nil || !strings.Contains(diagnostics[0].Postfix, dir+"/main.cf: No such file or directory") {
		t.Errorf("without main.cf: %+v", diagnostics)
	}
	config, diagnostics = Load(Options{Env: []string{"MAIL_CONFIG=" + dir}, Lookups: fakeLookups()})
	if config.ConfigDir != dir || !diagnostics.Failed() {
		t.Errorf("MAIL_CONFIG is not looked at: %q %+v", config.ConfigDir, diagnostics)
	}
	// A variable that is empty by mistake does not mean the system's own files.
	config, diagnostics = Load(Options{Env: []string{"MAIL_CONFIG="}, Lookups: fakeLookups()})
	if config.ConfigDir != "" || !diagnostics.Failed() {
		t.Errorf("an empty MAIL_CONFIG: %q %+v", config.ConfigDir, diagnostics)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, diagnostics := loadTexts(t, t.TempDir(), "mail_owner = nosuch\nfoo\ndefault_process_limit = x\n",
		"a unix x x x x x p\nb udp\nc unix\n", nil)
	lines := map[string]bool{}
	for _, d := range diagnostics {
		if d.Severity == plan.Error {
			lines[filepath.Base(d.Pos.String())] = true
		}
	}
	for _, want := range []string{
		"main.cf:1:14", "main.cf:2:1", "main.cf:3:25",
		"master.cf:1:8", "master.cf:1:10", "master.cf:1:12", "master.cf:1:14", "master.cf:1:16", "master.cf:2:3", "master.cf:3:7",
	} {
		if !lines[want] {
			t.Errorf("nothing is told at %s: %v", want, diagnostics)
		}
	}
}

func TestReloadKeepsWhatCannotChange(t *testing.T) {
	dir := t.TempDir()
	running, _ := loadTexts(t, dir, "inet_protocols = ipv4\nqueue_directory = /q\n", "25 inet n - - - - p\n", nil)
	after, diagnostics := loadTexts(t, dir, "inet_protocols = all\nqueue_directory = /r\nsyslog_name = $queue_directory",
		"25 inet n - - - - p\n", func(o *Options) { o.Running = running })
	if diagnostics.Failed() || after.QueueDir != "/q" || after.InetProtocols != "ipv4" || after.SyslogName != "/q" {
		t.Fatalf("kept %q %q %q, %v", after.QueueDir, after.InetProtocols, after.SyslogName, diagnostics)
	}
	want := "ignoring queue_directory parameter value change\nold value: \"/q\", new value: \"/r\"\n" +
		"to change queue_directory, stop and start Postfix"
	if got := diagnostics[0].Postfix; got != want || diagnostics[0].Pos.Line != 2 {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := len(after.Plan.Services[0].Endpoints); n != 1 {
		t.Errorf("%d endpoints, want the one of IPv4", n)
	}
}
