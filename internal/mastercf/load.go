package mastercf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// compiledDir is where Debian's Postfix looks without -c and MAIL_CONFIG.
const compiledDir = "/etc/postfix"

// fileBytesMax bounds a file of the configuration.
const fileBytesMax = 64 << 20

// loader is one Load under way.
type loader struct {
	notes
	options  Options
	config   *Config
	params   *Params
	resolver resolver
	own      place  // where services without a host listen
	chroot   string // what "-" means for chroot
	programs map[string]string
	args     []string    // room for an argument vector
	life     pool.Policy // of the row that is looked at
	policies map[pool.Policy]*pool.Policy
}

// Load reads a configuration directory. It tells all that is wrong, not only
// the first fault, and never panics or exits. The Config has no Plan when the
// diagnostics have an error in them; what could be read is there all the same,
// so that the caller knows where to log.
func Load(o Options) (*Config, plan.Diagnostics) {
	l := newLoader(o)
	if !l.readMain() {
		return l.config, l.list
	}
	l.settings()
	l.network()
	l.config.Environment = l.importEnvironment(o.Env)
	services := l.readMaster()
	if err := l.params.defaults.err; err != nil {
		l.add(plan.Warning, plan.Pos{File: l.params.file}, 0,
			fmt.Sprintf("%v; Debian's defaults are used for what is not set", err),
			"see that postconf works, or set the directories and mail_version", "")
	}
	if !l.list.Failed() {
		l.config.Plan = &plan.Plan{Source: l.config.ConfigDir, Services: services}
	}
	return l.config, l.list
}

func newLoader(o Options) *loader {
	o.Lookups = o.Lookups.orSystem()
	return &loader{
		options:  o,
		config:   &Config{ConfigDir: configDir(o)},
		resolver: newResolver(o.Lookups),
	}
}

// configDir is the directory that -c names, else MAIL_CONFIG, else the
// compiled-in one.
func configDir(o Options) string {
	if o.Dir != "" {
		return o.Dir
	}
	for _, pair := range o.Env {
		if dir, ok := strings.CutPrefix(pair, "MAIL_CONFIG="); ok {
			// Also when it is empty, where nothing will be found: whoever has set
			// it does not mean the system's own.
			return dir
		}
	}
	return compiledDir
}

// readFile gives the text of a file of the configuration.
func (l *loader) readFile(path string) (string, bool) {
	data, err := readRegular(path)
	if err == nil {
		return string(data), true
	}
	call := "open"
	if errors.Is(err, syscall.EISDIR) {
		call = "read"
	}
	var cause *fs.PathError
	reason := err.Error()
	if errors.As(err, &cause) {
		reason = cause.Err.Error()
	}
	l.add(plan.Error, plan.Pos{File: path}, 0, "cannot read file: "+reason,
		"put a readable file there, or name another directory with -c", call+" "+path+": "+sentence(reason))
	return "", false
}

// readRegular reads a file. What keeps its reader waiting, such as a fifo, or
// never ends is refused, also if it came into the file's place a moment ago.
func readRegular(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("is not a regular file")}
	}
	data, err := io.ReadAll(io.LimitReader(f, fileBytesMax+1))
	if err == nil && len(data) > fileBytesMax {
		err = &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("is larger than %d bytes", fileBytesMax)}
	}
	return data, err
}

// sentence starts with a capital, as strerror(3) does.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (l *loader) readMain() bool {
	path := l.config.ConfigDir + "/main.cf"
	text, ok := l.readFile(path)
	l.useMain(text, path)
	return ok
}

// useMain takes the text of main.cf.
func (l *loader) useMain(text, path string) {
	params, diagnostics := ParseMain(path, text)
	l.list = append(l.list, diagnostics...)
	params.defaults.ask = l.options.DefaultsFrom
	params.defaults.fixed = map[string]string{"config_directory": l.config.ConfigDir}
	l.params, l.config.Params = params, params
	l.hostname()
}

// hostname works out myhostname where main.cf does not set it: the machine's
// name, with mydomain behind it when it has no dot.
func (l *loader) hostname() {
	name, err := l.options.Lookups.Hostname()
	if err != nil || name == "" {
		return
	}
	if strings.Contains(name, ".") {
		l.params.defaults.fixed["myhostname"] = name
		if _, domain, _ := strings.Cut(name, "."); domain != "" {
			l.params.defaults.fixed["mydomain"] = domain
		}
		return
	}
	l.params.defaults.fixed["myhostname"] = name + ".$mydomain"
}

// settings resolves the process-wide parameters.
func (l *loader) settings() {
	c := l.config
	l.pinRunning()
	c.QueueDir = l.directory("queue_directory")
	c.DataDir = l.directory("data_directory")
	c.DaemonDir = l.directory("daemon_directory")
	c.CommandDir = l.text("command_directory", 1)
	c.ProcessIDDir = l.text("process_id_directory", 1)
	c.MailVersion = l.text("mail_version", 1)
	c.Hostname = l.text("myhostname", 1)
	if c.Hostname != "" && !validHost(c.Hostname) {
		l.fail("myhostname", quote(c.Hostname)+" is no host name", "write a fully-qualified name",
			fmt.Sprintf("file %s: parameter myhostname: bad parameter value: %s", l.params.file, c.Hostname))
	}
	c.SyslogName = l.text("syslog_name", 1)
	c.SyslogFacility = l.facility()
	c.MaillogFile = l.maillogFile()
	c.PostlogPath = c.QueueDir + "/public/" + l.text("postlog_service_name", 1)
	c.MailOwner = l.mailOwner()
	c.ThrottleTime = l.seconds("service_throttle_time", 1)
	c.DefaultProcessLimit = l.count("default_process_limit", 1)
	level := l.text("compatibility_level", 0)
	numbers, ok := parseLevel(level)
	if !ok {
		l.fail("compatibility_level", "bad level "+quote(level), "write a version such as 3.6",
			fmt.Sprintf("malformed compatibility level syntax: \"%s\"", level))
	}
	l.chroot = "n"
	if ok && numbers[0] < 1 {
		l.chroot = "y"
	}
}

// directory is the value of a parameter that must be an absolute path.
func (l *loader) directory(name string) string {
	dir := l.text(name, 1)
	if dir != "" && !filepath.IsAbs(dir) {
		l.fail(name, name+" is "+quote(dir)+", which depends on where master is started", "write an absolute path", "")
	}
	return dir
}

var facilities = strings.Fields("auth authpriv cron daemon ftp kern lpr mail news security syslog user uucp " +
	"local0 local1 local2 local3 local4 local5 local6 local7")

func (l *loader) facility() string {
	name := l.text("syslog_facility", 1)
	if name != "" && !slices.Contains(facilities, name) {
		l.fail("syslog_facility", "unknown facility "+quote(name), "write one of "+strings.Join(facilities, ", "),
			fmt.Sprintf("file %s: parameter syslog_facility: unrecognized value: %s", l.params.file, name))
	}
	return name
}

func (l *loader) maillogFile() string {
	file := l.text("maillog_file", 0)
	prefixes := splitList(l.text("maillog_file_prefixes", 1))
	if file == "" || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(file, p) }) {
		return file
	}
	l.fail("maillog_file", quote(file)+" is outside of what maillog_file_prefixes allows",
		"choose a place below "+strings.Join(prefixes, " or "),
		fmt.Sprintf("maillog_file value '%s' does not match any prefix in maillog_file_prefixes", file))
	return file
}

func (l *loader) mailOwner() Owner {
	name := l.text("mail_owner", 1)
	if name == "" {
		return Owner{}
	}
	uid, gid, err := l.options.Lookups.User(name)
	at := "file " + l.params.file + ": parameter mail_owner: "
	switch {
	case err != nil:
		l.fail("mail_owner", "unknown user "+quote(name), "name an existing user of its own for the mail system",
			at+"unknown user name value: "+name)
	case uid == 0:
		l.fail("mail_owner", "user "+name+" is root", "name a user without privileges",
			at+"user "+name+" has privileged user ID")
	case gid == 0:
		l.fail("mail_owner", "user "+name+" has root's group", "name a user without privileges",
			at+"user "+name+" has privileged group ID")
	}
	return Owner{Name: name, UID: uid, GID: gid}
}
