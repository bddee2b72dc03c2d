package scoreboard

import (
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/golden"
)

// moment is when the pictures of these tests were drawn.
const moment = 1_766_400_000 * second

// pictureOf is one of a single service that has failed, some seconds ago.
func pictureOf(s Service) *Picture {
	if s.Name == "" {
		s.Name = "web"
	}
	s.Key = s.Name
	if s.File == "" {
		s.File, s.Line = "/etc/brood/brood.toml", 4
	}
	if s.Command == nil {
		s.Command = []string{"/srv/web/bin/web", "--quiet"}
	}
	if s.Limit == 0 {
		s.Limit = 8
	}
	if s.Failure != nil {
		s.Failure.At = moment - 2*second
		s.Death = s.Failure
	}
	return &Picture{Mode: "native", At: moment, Started: moment - 2*hour, Services: []Service{s}}
}

// throttled is a service whose births are held back after a death.
func throttled(d Death) Service {
	return Service{
		Failure: &d, Failures: 3, ThrottledUntil: moment + 4*second, Queue: 2, QueueAge: 1500 * millisecond,
		Counts: Counts{Births: 3, Throttles: 3, Deaths: Deaths{Failed: 3}},
	}
}

// nodeWords are the last lines of a node that misses a module, 20 of them.
var nodeWords = []string{
	"node:internal/modules/cjs/loader:1210",
	"  throw err;",
	"  ^",
	"Error: Cannot find module 'express'",
	"Require stack:",
	"- /srv/web/server.js",
	"    at Module._resolveFilename (node:internal/modules/cjs/loader:1207:15)",
	"    at Module._load (node:internal/modules/cjs/loader:1038:27)",
	"    at Module.require (node:internal/modules/cjs/loader:1289:19)",
	"    at require (node:internal/modules/helpers:182:18)",
	"    at Object.<anonymous> (/srv/web/server.js:1:11)",
	"    at Module._compile (node:internal/modules/cjs/loader:1521:14)",
	"    at Module._extensions..js (node:internal/modules/cjs/loader:1623:10)",
	"    at Module.load (node:internal/modules/cjs/loader:1266:32)",
	"    at Module._load (node:internal/modules/cjs/loader:1091:12)",
	"    at Function.executeUserEntryPoint [as runMain] (node:internal/modules/run_main:164:12) {",
	"  code: 'MODULE_NOT_FOUND',",
	"  requireStack: [ '/srv/web/server.js' ]",
	"}",
	"Node.js v20.20.2",
}

// because are the failures that an operator meets, made by hand, and what the
// first two lines must say.
var because = []struct {
	name     string
	service  func() Service
	findings []Finding
	reload   *Reload
	mode     string
	says     []string
}{
	{
		name: "smtpd-restrictions", mode: "postfix",
		service: func() Service {
			s := throttled(Death{PID: 410, Exit: 1, Age: 30 * millisecond, Words: []string{
				"postfix/smtpd[410]: fatal: in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working instance of: reject_unauth_destination, defer_unauth_destination, reject, defer, defer_if_permit or check_relay_domains",
			}})
			s.Name, s.File, s.Line = "smtp", "/etc/postfix/master.cf", 12
			s.Command = []string{"/usr/lib/postfix/sbin/smtpd", "-n", "smtp"}
			return s
		},
		says: []string{"smtpd_relay_restrictions", "main.cf"},
	},
	{
		name: "program-missing",
		service: func() Service {
			return throttled(Death{Cause: "cannot exec /srv/web/bin/web: no such file or directory"})
		},
		findings: []Finding{{"program", true, "/srv/web/bin does not exist either.", ""}},
		says:     []string{"/srv/web/bin/web", "does not exist"},
	},
	{
		name: "program-missing-in-master-cf", mode: "postfix",
		service: func() Service {
			s := throttled(Death{Cause: "cannot exec /usr/lib/postfix/sbin/smtpdd: no such file or directory"})
			s.Name, s.File, s.Line = "smtp", "/etc/postfix/master.cf", 12
			return s
		},
		says: []string{"/usr/lib/postfix/sbin/smtpdd", "does not exist"},
	},
	{
		name: "library-missing",
		service: func() Service {
			return throttled(Death{PID: 411, Exit: 127, Age: 3 * millisecond, Words: []string{
				"/srv/web/bin/web: error while loading shared libraries: libfancy.so.3: cannot open shared object file: No such file or directory",
			}})
		},
		says: []string{"shared library libfancy.so.3", "not found"},
	},
	{
		name: "exit-at-first-job",
		service: func() Service {
			return throttled(Death{PID: 412, Exit: 1, Age: 400 * millisecond, Busy: true, Words: []string{
				"Traceback (most recent call last):", "  File \"app.py\", line 12, in handle", "KeyError: 'DATABASE_URL'",
			}})
		},
		says: []string{"exit status 1", "KeyError: 'DATABASE_URL'"},
	},
	{
		name: "exit-of-one-that-does-not-tell",
		service: func() Service {
			s := throttled(Death{PID: 421, Exit: 1, Age: 3 * hour, Words: []string{"lost the database"}})
			s.Protocol, s.Opaque = "none", true
			return s
		},
		says: []string{"a worker gave up, saying \"lost the database\" (exit status 1, at the age of 3 h)"},
	},
	{
		name: "start-timeout-of-one-that-does-not-tell",
		service: func() Service {
			s := throttled(Death{PID: 422, Signal: 15, Limit: "start.timeout", Age: 10 * second})
			s.Protocol, s.Opaque = "none", true
			return s
		},
		says: []string{"not ready within start.timeout"},
	},
	{
		name: "node-module-missing",
		service: func() Service {
			s := throttled(Death{PID: 423, Exit: 1, Age: 60 * millisecond, Words: nodeWords})
			s.Command = []string{"/usr/bin/node", "server.js"}
			s.Protocol, s.Opaque = "none", true
			return s
		},
		says: []string{"the module express is not found"},
	},
	{
		name:    "draining-one",
		service: func() Service { return Service{Limit: 3, Draining: true, Busy: 1} },
		says:    []string{"an operator is draining it", "1 worker finishes what it has"},
	},
	{
		name:    "draining-two",
		service: func() Service { return Service{Limit: 3, Draining: true, Busy: 1, Idle: 1} },
		says:    []string{"2 workers finish what they have"},
	},
	{
		name: "segmentation-fault",
		service: func() Service {
			return Service{
				Idle: 1, Busy: 2, Failure: &Death{PID: 413, Signal: 11, Core: true, Busy: true, Age: hour, Uses: 310},
				Counts: Counts{Births: 9, Clients: 2000, Deaths: Deaths{Crashed: 1, Asked: 5}},
			}
		},
		says: []string{"segmentation fault (SIGSEGV)", "2 s ago"},
	},
	{
		name: "out-of-memory-cgroup",
		service: func() Service {
			s := throttled(Death{PID: 414, Signal: 9, OutOfMemory: true, Busy: true, Age: 12 * second, Uses: 0})
			s.Counts.Deaths = Deaths{Memory: 3}
			return s
		},
		says: []string{"out of memory", "kernel killed"},
	},
	{
		name: "out-of-memory-limit",
		service: func() Service {
			return throttled(Death{PID: 415, Exit: 1, Age: second, Words: []string{"MemoryError"}})
		},
		says: []string{"memory", "limits.as"},
	},
	{
		name: "port-taken",
		service: func() Service {
			return Service{
				Missing: true, MissingWhy: "cannot bind 127.0.0.1:8080: address already in use",
				Listen: []Address{{Address: "tcp://127.0.0.1:8080"}},
			}
		},
		findings: []Finding{{"port", true, "Process 812 (nginx) has 127.0.0.1:8080.", "End process 812 (nginx), or have it listen elsewhere."}},
		says:     []string{"taken by somebody else", "127.0.0.1:8080"},
	},
	{
		name: "directory-gone",
		service: func() Service {
			s := throttled(Death{Cause: "cannot chdir /srv/web/current: no such file or directory"})
			s.Directory = "/srv/web/current"
			return s
		},
		says: []string{"working directory /srv/web/current does not exist"},
	},
	{
		name: "pool-full",
		service: func() Service {
			return Service{
				Limit: 3, Busy: 3, Queue: 12, QueueAge: 4 * second, Counts: Counts{Births: 3, Clients: 90, Saturated: 8 * second},
				Job:     Histogram{Count: 90, Sum: 90 * 800 * millisecond},
				Workers: []Worker{{PID: 1, State: "busy", Busy: moment - 2*second}},
			}
		},
		says: []string{"all 3 workers that it may have are busy", "12 clients wait"},
	},
	{
		name: "worker-hung",
		service: func() Service {
			return Service{
				Idle: 1, Failure: &Death{PID: 416, Signal: 9, Limit: "busy", Busy: true, Age: 10 * minute, Uses: 3, Place: "state S (sleeping); waits in futex_do_wait; 4 descriptors: 3 socket:[812]"},
				Counts: Counts{Births: 2, Clients: 8, Deaths: Deaths{Killed: 1}},
			}
		},
		says: []string{"hung", "busy"},
	},
	{
		name: "user-wrong",
		service: func() Service {
			s := throttled(Death{Cause: "cannot exec /srv/web/bin/web: permission denied"})
			s.User = "www-data"
			return s
		},
		findings: []Finding{{"program", true, "www-data may not pass /srv/web, which is root's alone (mode 0700).", "Let www-data pass: chmod o+x /srv/web."}},
		says:     []string{"may not be executed as www-data"},
	},
	{
		name: "chroot-empty", mode: "postfix",
		service: func() Service {
			s := throttled(Death{PID: 417, Exit: 1, Age: 20 * millisecond, Words: []string{
				"postfix/smtp[417]: fatal: unknown service: smtp/tcp",
			}})
			s.Name, s.Chroot, s.File, s.Line = "relay", "/var/spool/postfix", "/etc/postfix/master.cf", 30
			return s
		},
		says: []string{"/etc/services cannot be read", "/var/spool/postfix"},
	},
	{
		name: "fork-limit",
		service: func() Service {
			s := throttled(Death{Cause: "cannot clone: resource temporarily unavailable"})
			s.Counts.Stillbirths = 3
			return s
		},
		says: []string{"limit of processes is reached"},
	},
	{
		name:   "reload-bad",
		reload: &Reload{At: moment - 5*second, Refused: []string{"/etc/brood/brood.toml:4:1: error: a service has no key \"max_uses\"; write max_use"}},
		service: func() Service {
			return Service{Idle: 1, Counts: Counts{Births: 1}}
		},
		says: []string{"last reload was refused", "brood.toml:4:1"},
	},
	{
		name: "certificate-unreadable",
		service: func() Service {
			s := throttled(Death{PID: 418, Exit: 1, Age: 90 * millisecond, Words: []string{
				"web: starting", "cannot load TLS: open /etc/ssl/private/web.key: permission denied",
			}})
			s.User = "www-data"
			return s
		},
		findings: []Finding{{"file", true, "/etc/ssl/private is closed for www-data (root:ssl-cert, mode 0710).", "Add www-data to the group ssl-cert: groups = [\"ssl-cert\"]."}},
		says:     []string{"certificate or key file /etc/ssl/private/web.key"},
	},
	{
		name: "silent",
		service: func() Service {
			return throttled(Death{PID: 419, Exit: 2, Age: 90 * millisecond})
		},
		findings: []Finding{{"file", true, "/etc/web.conf, named in command, does not exist.", "Put /etc/web.conf in place."}},
		says:     []string{"probably because /etc/web.conf"},
	},
	{
		name: "given-up",
		service: func() Service {
			s := throttled(Death{PID: 420, Exit: 1, Age: millisecond, Words: []string{"no licence"}})
			s.GaveUp, s.OnGiveUp, s.ThrottledUntil, s.Failures = true, "hold", 0, 10
			return s
		},
		says: []string{"web has given up: a worker gave up, saying \"no licence\" (exit status 1", "no licence"},
	},
	{
		name:    "paused",
		service: func() Service { return Service{Paused: true, Queue: 4, QueueAge: 3 * second} },
		says:    []string{"web is paused: an operator has paused it"},
	},
	{
		name:    "paused-at-work",
		service: func() Service { return Service{Paused: true, Busy: 2} },
		says:    []string{"web is paused: an operator has paused it; no worker is born, and those that live go on"},
	},
	{
		name: "hung",
		service: func() Service {
			return Service{Deaf: 2, Queue: 4, QueueAge: 3 * second, Workers: []Worker{{PID: 31, State: "deaf"}, {PID: 32, State: "deaf"}}}
		},
		says: []string{"web hangs: 2 workers hang", "worker 31 and 32"},
	},
	{
		name: "socket-directory-gone",
		service: func() Service {
			return Service{Missing: true, MissingWhy: "cannot bind /run/web/web.sock: no such file or directory", Listen: []Address{{Address: "unix:///run/web/web.sock"}}}
		},
		says: []string{"web does not listen: the directory of its socket does not exist (/run/web/web.sock)"},
	},
	{
		name:    "below-a-ceiling",
		service: func() Service { return Service{Waiting: true, Busy: 1, Queue: 4, QueueAge: 3 * second} },
		says:    []string{"a limit over several services is reached, and 4 clients wait"},
	},
	{
		name:     "stopped",
		service:  func() Service { return Service{Idle: 1, Queue: 1} },
		findings: []Finding{{"worker", true, "Worker 5 is stopped by a signal.", "Let it go on with kill -CONT 5."}},
		says:     []string{"web is ready, but worker 5 is stopped by a signal."},
	},
	{
		name: "leaves-before-it-serves",
		service: func() Service {
			return Service{Limit: 1, Starting: 1, Queue: 2, QueueAge: 2 * second, Counts: Counts{Births: 3, Deaths: Deaths{Done: 2}}}
		},
		says: []string{"web is starting, but no worker has taken a client that has been waiting for 2 s."},
	},
	{
		name: "goes-into-the-background",
		service: func() Service {
			return Service{
				Protocol: "none", Opaque: true, Queue: 1, QueueAge: 2 * second, Failures: 3, ThrottledUntil: moment + 4*second,
				Counts: Counts{Births: 12, Throttles: 3, Deaths: Deaths{Done: 12}},
			}
		},
		says: []string{"web is throttled: its workers end with exit status 0, and take no client."},
	},
	{
		name:     "foreseen",
		service:  func() Service { return Service{Idle: 1, Counts: Counts{Births: 1}} },
		findings: []Finding{{"program", true, "The program /srv/web/bin/web does not exist.", ""}},
		says:     []string{"web is ready, but its next worker would fail: The program /srv/web/bin/web does not exist"},
	},
	{
		name:    "at-rest",
		service: func() Service { return Service{Counts: Counts{Births: 3, Deaths: Deaths{Asked: 3}}} },
		says:    []string{"web is idle, and nothing is wrong"},
	},
}

func TestWhy(t *testing.T) {
	for _, row := range because {
		t.Run(row.name, func(t *testing.T) {
			p := pictureOf(row.service())
			p.Reload = row.reload
			if row.mode != "" {
				p.Mode = row.mode
			}
			text := p.Services[0].Why(p, row.findings).Text(80)
			golden.Compare(t, "testdata/why/"+row.name+".txt", text)
			first := strings.Join(strings.Fields(strings.Join(strings.SplitAfter(text, "\n")[:2], "")), " ")
			for _, say := range row.says {
				if !strings.Contains(first, say) {
					t.Errorf("the first two lines do not say %q:\n%s", say, text)
				}
			}
		})
	}
}

func TestSpan(t *testing.T) {
	for ns, want := range map[int64]string{
		-5: "0 s", 0: "0 s", 1: "0.1 ms", 2_700_000: "2.7 ms", 250 * millisecond: "250 ms", 1200 * millisecond: "1.2 s",
		2 * second: "2 s", 59 * second: "59 s", 125 * second: "2 min 5 s", 2 * hour: "2 h", 99 * hour: "4 d 3 h",
	} {
		if got := Span(ns); got != want {
			t.Errorf("Span(%d) = %q, want %q", ns, got, want)
		}
	}
	if got := ShortSpan(125 * second); got != "2m5s" {
		t.Errorf("a short span is %q", got)
	}
	for n, want := range map[int64]string{0: "0", 1023: "1023", 1536: "1.5K", 310 << 20: "310M", 3 << 60: "3.0E"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
}
