package native

// This file holds what the manual says beyond the table of keys: whole files,
// and what systemd calls the same.

// site is a whole brood.toml of the manual.
type site struct{ title, doc, toml string }

var sites = []site{
	{
		"A web server's back ends",
		"As root, beside nginx, which finds its back ends at sockets in `/run`. The pool of the application begins empty, PHP keeps one worker ready.",
		`[brood]
max_workers = 60
log.to = "journal"

[template.site]
user = "www-data"
workers = { max = 20 }
max_age = "1d"
max_memory = "512M"

[service.app]
template = "site"
listen = ["unix:///run/app.sock?mode=0660&group=www-data"]
command = ["gunicorn", "-w1", "app:app"]
protocol = "systemd"
start = { notify = true, timeout = "30s" }
directory = "/srv/app"
env_file = "/etc/default/app"

[service.php]
template = "site"
listen = ["unix:///run/php.sock?mode=0660&group=www-data"]
command = ["php-cgi"]
protocol = "fastcgi"
workers = { spare = 1 }
env = { PHP_FCGI_MAX_REQUESTS = "1000" }
`,
	},
	{
		"Many small services of one user",
		"Without root, in a container or a home directory: one pool a tenant, all made from one table, with a limit over all of them, and lines in JSON for whoever collects the standard output.",
		`[brood]
drain = "25s"
log.format = "json"

[ceiling.tenants]
workers = 12

[service.tenant]
instances = ["blue", "green", "red"]
listen = ["unix://{runtime}/tenant-{instance}.sock"]
command = ["node", "server.js", "{fd}"]
protocol = "none"
workers = { max = 6 }
idle = "5m"
ceilings = ["tenants"]
env = { TENANT = "{instance}" }
max_memory = "300M"
limits = { nofile = 1024 }
stop = { timeout = "20s" }

[service.queue]
listen = ["tcp://127.0.0.1:7010"]
command = ["node", "queue.js"]
protocol = "postfix"
workers = { max = 4 }
busy = "10m"
every = "5m?"
`,
	},
	{
		"What inetd did",
		"A process for each client, bounded, and a datagram service. Nothing of the three runs before somebody comes.",
		`[service.git]
listen = ["tcp://:9418"]
command = ["git", "daemon", "--inetd", "--export-all", "--base-path=/srv/git"]
protocol = "inetd"
workers = { max = 50 }
user = "nobody"
busy = "1h"

[service.finger]
listen = ["tcp://127.0.0.1:79"]
command = ["sh", "/usr/local/lib/finger.sh"]
protocol = "inetd"
user = "nobody"
limits = { cpu = "10s", as = "256M" }

[service.clock]
listen = ["udp://127.0.0.1:7037"]
command = ["python3", "clock.py"]
protocol = "inetd"
`,
	},
}

// systemdNames are settings of systemd.socket(5), systemd.service(5) and
// systemd.exec(5), and what does the same.
var systemdNames = []struct{ theirs, ours string }{
	{"`ListenStream=`, `ListenDatagram=`, `ListenFIFO=`", "`listen`: tcp, unix, vsock; udp, unixgram; fifo"},
	{"`SocketMode=`, `SocketUser=`, `SocketGroup=`, `Backlog=`, `BindIPv6Only=`, `FileDescriptorName=`", "options of the address: `mode`, `owner`, `group`, `backlog`, `v6only`, `name`"},
	{"`Accept=yes`, `MaxConnections=`", "`protocol = \"inetd\"`, `workers.max`"},
	{"`Accept=no`", "`protocol = \"systemd\"`; one worker only with `workers.max = 1`"},
	{"`ExecStart=`", "`command`, without a shell, and without its `%`; see Placeholders"},
	{"`Type=notify`", "`protocol = \"systemd\"` and `start.notify = true`"},
	{"`TimeoutStartSec=`", "`start.timeout`"},
	{"`KillSignal=`, `TimeoutStopSec=`", "`stop.signal`, `stop.timeout`; the signal goes to the worker, KILL to its process group"},
	{"`WatchdogSec=`", "`heartbeat`"},
	{"`RuntimeMaxSec=`", "`max_age`, which waits until the worker is free"},
	{"`Restart=`, `RestartSec=`, `RestartSteps=`, `RestartMaxDelaySec=`", "`backoff`; a worker is born when a client needs it, or a floor does"},
	{"`StartLimitBurst=`, `FailureAction=`", "`backoff.tries`, `on_give_up`"},
	{"`User=`, `Group=`, `SupplementaryGroups=`", "`user`, `group`, `groups`"},
	{"`WorkingDirectory=`, `UMask=`", "`directory`, `umask`"},
	{"`Environment=`, `EnvironmentFile=`, `PassEnvironment=`", "`env`, `env_file`, `env_pass`"},
	{"`LimitNOFILE=` and the like", "`limits.nofile` and the like"},
	{"`MemoryMax=`", "none: `limits.as` has an allocation fail, `max_memory` replaces a worker when it is free"},
	{"`TasksMax=` of a slice", "`[ceiling.NAME]`, `brood.max_workers`: workers, not tasks"},
	{"`StandardOutput=`, `SyslogFacility=`, `LogRateLimitBurst=`", "`log.to`, `log.facility`, `log.rate`"},
	{"`OnUnitActiveSec=` of a timer", "`every`"},
	{"`NAME@.service`, `%i`", "`instances`, `{instance}`"},
	{"`FileDescriptorStoreMax=`", "none: it is 64"},
	{"`systemctl daemon-reload`, and restarts", "one HUP, or `brood reload`"},
	{"`ProtectSystem=`, `PrivateTmp=`, `SystemCallFilter=`, `CPUQuota=`, `After=`, …", "none"},
}
