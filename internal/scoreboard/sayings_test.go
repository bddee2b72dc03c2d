package scoreboard

import "testing"

// TestSayings reads what real programs have said when they failed.
func TestSayings(t *testing.T) {
	for said, want := range map[string]string{
		"./web: error while loading shared libraries: libssl.so.1.1: cannot open shared object file: No such file or directory": "its program needs the shared library libssl.so.1.1, which is not found",
		"Error loading shared library libgcc_s.so.1: No such file or directory (needed by /srv/web)":                            "its program needs the shared library libgcc_s.so.1, which is not found",
		"./web: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by ./web)":                            "its program needs the version GLIBC_2.38 of a shared library, and this machine has an older one",
		"ModuleNotFoundError: No module named 'flask'":                                                                          "the Python module flask is not found",
		"Error: Cannot find module 'express'":                                                                                   "the module express is not found",
		"Can't locate JSON/XS.pm in @INC (you may need to install the JSON::XS module)":                                         "the Perl module JSON/XS.pm is not found",
		"<internal:kernel_require.rb>:85:in `require': cannot load such file -- rack (LoadError)":                               "the Ruby library rack is not found",
		"Error: Could not find or load main class org.example.Web":                                                              "the Java class org.example.Web is not found",
		"nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)":                                               "its program binds an address itself, which is in use",
		"OSError: [Errno 98] Address already in use":                                                                            "its program binds an address itself, which is in use",
		"sh: 1: fork: Resource temporarily unavailable":                                                                         "the limit of processes and threads is reached (limits.nproc, RLIMIT_NPROC, or pids.max of its cgroup), and it could not have another",
		"RuntimeError: can't start new thread":                                                                                  "the limit of processes and threads is reached (limits.nproc, RLIMIT_NPROC, or pids.max of its cgroup), and it could not have another",
		"terminate called after throwing an instance of 'std::bad_alloc'":                                                       "it was refused the memory that it asked for: a limit (limits.as, limits.data, or that of its cgroup), or the machine has none left",
		"accept4: too many open files":                                                                                          "it has used up its descriptors (limits.nofile)",
		"write /var/lib/web/data: no space left on device":                                                                      "a disk is full",
		"PermissionError: [Errno 13] Permission denied: '/etc/ssl/private/web.key'":                                             "it may not read the certificate or key file /etc/ssl/private/web.key",
		"Error: EACCES: permission denied, open '/srv/data/state'":                                                              "it may not use /srv/data/state",
		"python3: can't open file '/srv/app.py': [Errno 2] No such file or directory":                                           "it needs /srv/app.py, which does not exist",
		"panic: open config.json: no such file or directory":                                                                    "it needs config.json, which does not exist",
		"/srv/run.sh: 3: exec: gunicorn: not found":                                                                             "a command that it runs is not found: gunicorn",
		"bash: line 1: uvicorn: command not found":                                                                              "a command that it runs is not found: uvicorn",
		"fatal: in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working instance":   "a setting in main.cf is refused: smtpd_relay_restrictions",
		"fatal: bad numerical configuration: smtpd_timeout = often":                                                             "a setting in main.cf is refused: smtpd_timeout",
		"fatal: unsupported dictionary type: mysql":                                                                             "Postfix has no table type mysql here",
		"dial tcp 127.0.0.1:5432: connect: connection refused":                                                                  "something that it needs refuses connections",
		"pq: database \"web\" does not exist":                                                                                   "",
		"it works":                                                                                                              "",
	} {
		says, line, found := heard([]string{"starting", said, "bye"})
		got := ""
		if says != nil {
			got = fill(says.cause, found, line)
		}
		if got != want {
			t.Errorf("%s\n  means %q,\n  want  %q", said, got, want)
		}
	}
}
