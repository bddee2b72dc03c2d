package mastercf

import "strings"

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

// defaults answers for what main.cf does not set: from what postconf(1) said
// when that is there, which is asked for once at most, else from the built-in
// table.
type defaults struct {
	ask   func() (Printed, error)
	fixed map[string]string // stronger than what was asked
	said  Printed
	asked bool
	err   error
}

func (d *defaults) lookup(name string) (string, bool) {
	if v, ok := d.fixed[name]; ok {
		return v, true
	}
	if d.ask != nil && !d.asked {
		d.asked = true
		d.said, d.err = d.ask()
	}
	if v, ok := d.said.lookup(name); ok {
		return v, true
	}
	v, ok := builtin[name]
	return v, ok
}

// Printed is the output of "postconf -d": lines NAME = VALUE. It is kept as it
// came, because few of its thousand names are ever asked for.
type Printed string

func (p Printed) lookup(name string) (string, bool) {
	for rest := string(p); ; {
		i := strings.Index(rest, name)
		if i < 0 {
			return "", false
		}
		line, after, _ := strings.Cut(rest[i+len(name):], "\n")
		if i == 0 || rest[i-1] == '\n' {
			if value, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "="); ok {
				return strings.TrimSpace(value), true
			}
		}
		rest = after
	}
}
