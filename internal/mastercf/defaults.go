package mastercf

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"sync"
)

// builtin are the defaults of Debian's postfix for the parameters that master
// itself uses, for when the installed Postfix cannot be asked.
var builtin = map[string]string{
	"command_directory":          "/usr/sbin",
	"compatibility_level":        "0",
	"config_directory":           "/etc/postfix",
	"daemon_directory":           "/usr/lib/postfix/sbin",
	"data_directory":             "/var/lib/postfix",
	"debugger_command":           "",
	"default_process_limit":      "100",
	"import_environment":         "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME",
	"inet_interfaces":            "all",
	"inet_protocols":             "all",
	"known_tcp_ports":            "lmtp=24, smtp=25, smtps=submissions=465, submission=587",
	"mail_name":                  "Postfix",
	"mail_owner":                 "postfix",
	"mail_version":               "3.7.11",
	"maillog_file":               "",
	"maillog_file_prefixes":      "/var, /dev/stdout",
	"maillog_file_compressor":    "gzip",
	"maillog_file_rotate_suffix": "%Y%m%d-%H%M%S",
	"master_service_disable":     "",
	"multi_instance_directories": "",
	"multi_instance_enable":      "no",
	"multi_instance_group":       "",
	"multi_instance_name":        "",
	"mydomain":                   "localdomain",
	"postlog_service_name":       "postlog",
	"process_id_directory":       "pid",
	"queue_directory":            "/var/spool/postfix",
	"service_throttle_time":      "60s",
	"setgid_group":               "postdrop",
	"stress":                     "",
	"syslog_facility":            "mail",
	"syslog_name":                "${multi_instance_name?{$multi_instance_name}:{postfix}}",
	"postlogd_watchdog_timeout":  "10s",
}

// defaults answers for what main.cf does not set: from ask when it is there,
// which is called once at most, else from the built-in table.
type defaults struct {
	ask     func(names []string) (map[string]string, error)
	fixed   map[string]string // stronger than what was asked
	answers map[string]string
	asked   bool
	err     error
}

func (d *defaults) lookup(name string) (string, bool) {
	if v, ok := d.fixed[name]; ok {
		return v, true
	}
	if d.ask != nil && !d.asked {
		d.asked = true
		d.answers, d.err = d.ask(nil)
	}
	if v, ok := d.answers[name]; ok {
		return v, true
	}
	v, ok := builtin[name]
	return v, ok
}

// PostconfDefaults returns a function for Options.DefaultsFrom that asks the
// named postconf(1) for the compiled-in defaults, all of them in one call the
// first time, and remembers the answer for the life of the process: they
// cannot change without another Postfix. A call that failed is tried again.
func PostconfDefaults(postconf string) func(names []string) (map[string]string, error) {
	var mu sync.Mutex
	var answer map[string]string
	return func([]string) (map[string]string, error) {
		mu.Lock()
		defer mu.Unlock()
		if answer != nil {
			return answer, nil
		}
		command := exec.Command(postconf, "-d")
		var stderr bytes.Buffer
		command.Stderr = &stderr
		out, err := command.Output()
		if err != nil {
			return nil, fmt.Errorf("cannot ask %s -d: %w: %s", postconf, err, strings.TrimSpace(stderr.String()))
		}
		answer = parseDefaults(string(out))
		return answer, nil
	}
}

// parseDefaults reads the lines NAME = VALUE of postconf -d.
func parseDefaults(out string) map[string]string {
	m := make(map[string]string, 1200)
	for line := range strings.Lines(out) {
		name, value, ok := strings.Cut(line, "=")
		if ok {
			m[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return m
}
