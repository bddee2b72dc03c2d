package native

import (
	"sort"
	"sync"
	"time"

	"github.com/brood-project/brood/internal/plan"
)

// The audiences of keys that do not speak to every protocol.
var (
	onlyNone = &audience{
		[]plan.Protocol{plan.ProtocolNone},
		"the protocol says which descriptor it is",
	}
	notInetd = &audience{
		[]plan.Protocol{plan.ProtocolPostfix, plan.ProtocolSystemd, plan.ProtocolFastCGI, plan.ProtocolNone},
		"such a worker is born for one client and leaves with it",
	}
	tellsUse = &audience{
		[]plan.Protocol{plan.ProtocolPostfix, plan.ProtocolSystemd},
		"brood does not see the clients that such a worker serves",
	}
	tellsBusy = &audience{
		[]plan.Protocol{plan.ProtocolPostfix, plan.ProtocolSystemd, plan.ProtocolInetd},
		"brood does not see when such a worker begins and ends with a client",
	}
	readsQueue = &audience{
		[]plan.Protocol{plan.ProtocolSystemd, plan.ProtocolFastCGI, plan.ProtocolNone},
		"brood knows which of these workers are busy, so nothing is guessed from the queue",
	}
	systemd = &audience{
		[]plan.Protocol{plan.ProtocolSystemd},
		"such a worker has no way to send one",
	}
)

// section is a chapter of the manual and of the starting file.
type section struct {
	title string
	doc   string
	keys  []*key
}

// serviceSections is the table of all that a service can be told. Nothing of the
// tables that takes work to build is built before a brood.toml is read: the
// program has other names under which it reads none.
var serviceSections = sync.OnceValue(func() []section {
	return []section{
		{"What is served", "Who listens where, and what serves it.", whatKeys},
		{"The pool", "How many workers there are.", poolKeys},
		{"Replacing workers", "A worker is replaced when it is free, never all at once: at most one in ten is being replaced at a time.", replaceKeys},
		{"Starting and stopping", "How workers come and go, and what happens when they cannot.", lifeKeys},
		{"Workers that hang", "Each limit is its own. A worker that passes one is looked at (where it hangs, what it holds open), then ended: the stop signal, and KILL after stop.timeout; the others go on.", hangKeys},
		{"Wake-up and stress", "What brood does without a client, and when there are too many.", signalKeys},
		{"Surroundings", "Whom a worker runs as, where, and with what.", surroundingKeys},
		{"Resource limits", "Each is a number, a size, a time for cpu, or \"unlimited\"; \"SOFT:HARD\" sets the two apart. What is not set is as brood has it.", limitKeys()},
		{"Output", "Each line that a worker writes to its standard output and error is passed on with the service, pid and generation in front. A worker is never kept waiting for it.", logKeys},
	}
})

var whatKeys = []*key{
	{
		name: "template", kind: kindName, example: `"base"`, once: true,
		doc: "A [template.NAME] whose settings this service takes over. What the service sets itself wins; env is merged variable by variable.",
		put: func(d *draft, v value) { d.fresh.template = v.word() },
	},
	{
		name: "instances", kind: kindInstances, example: `["blue", "green"]`, once: true,
		also: []string{"numprocs", "replicas"},
		doc:  "Makes one service of each name, called SERVICE@NAME, with {instance} replaced by the name. { from = 1, to = 9 } counts.",
		put:  func(d *draft, v value) { d.fresh.instances = v.words },
	},
	{
		name: "listen", kind: kindAddresses, example: `["tcp://127.0.0.1:8080"]`, required: true, places: true,
		also: []string{"port", "ports", "bind", "socket", "sockets", "address", "http", "listenstream", "host"},
		doc:  "The addresses, in the order in which a worker receives them; see Addresses.",
		put:  func(d *draft, v value) { d.fresh.listen = v.words },
	},
	{
		name: "command", kind: kindCommand, example: `["gunicorn", "-w1", "app:app"]`, required: true, places: true,
		also: []string{"exec", "cmd", "program", "run", "execstart", "start_command", "script", "args"},
		doc:  "The program and its arguments. No shell is involved. A bare name is looked for in PATH, a relative path from directory on.",
		put:  func(d *draft, v value) { d.fresh.command = v.words },
	},
	{
		name: "protocol", kind: kindChoice, choices: protocolNames, example: `"systemd"`, required: true,
		also: []string{"type", "proto"},
		doc:  "How a worker gets the sockets, and how brood knows whether it is busy: postfix (descriptors from 6, status records on 5), systemd (LISTEN_FDS from 3, sd_notify), fastcgi (the socket is descriptor 0), inetd (one connection is descriptor 0 and 1), none (the socket is a descriptor that the program is told of). See worker.md.",
		put:  func(d *draft, v value) { d.service.Protocol = plan.Protocol(v.num + 1) },
	},
	{
		name: "fd", kind: kindCount, preset: "3", min: 0, max: 1000, only: onlyNone,
		doc: "The descriptor of the first socket; the others follow. {fd} in command and env stands for it.",
		put: func(d *draft, v value) { d.service.FD = int(v.num) },
	},
}

var poolKeys = []*key{
	{
		name: "workers.min", kind: kindCount, preset: "0", max: workersMax, only: notInetd,
		also: []string{"floor", "min_workers", "minimum"},
		doc:  "How many live always, with or without clients.",
		put:  func(d *draft, v value) { d.service.Workers.Min = int(v.num) },
	},
	{
		name: "workers.spare", kind: kindCount, preset: "0", max: workersMax, only: notInetd,
		also: []string{"idle_workers", "min_spare", "spares"},
		doc:  "How many idle ones are kept ready for the next clients. Of workers that do not tell, nobody knows who is idle: then it is a floor, as min is.",
		put:  func(d *draft, v value) { d.service.Workers.Spare = int(v.num) },
	},
	{
		name: "workers.max", kind: kindCount, preset: "20", min: 1, max: workersMax,
		also: []string{"limit", "max_workers", "maximum", "processes", "children", "count", "ceiling", "max_children"},
		doc:  "The most at one time, those that are being replaced included.",
		put:  func(d *draft, v value) { d.service.Workers.Max = int(v.num) },
	},
	{
		name: "wait", kind: kindTime, preset: `"100ms"`, min: int64(timeMin), max: int64(time.Hour), only: readsQueue,
		also: []string{"queue_wait", "queue_timeout", "max_wait"},
		doc:  "Where the worker does not tell that it is busy: how long the oldest client waits in the accept queue until one more worker is born. The kernel knows since when with tcp; with other addresses, clients that follow each other without a gap count as one that waits. The first worker of an empty pool is born at once.",
		put:  func(d *draft, v value) { d.service.Wait = v.duration() },
	},
	{
		name: "idle", kind: kindTime, preset: `"60s"`, min: int64(timeMin), max: int64(timeMax), zero: "never", only: notInetd,
		also: []string{"idle_timeout", "process_idle_timeout", "max_idle", "keepalive", "ttl"},
		doc:  "How long a worker above min and spare stays without a client. Of one that does not tell, the kernel says whether it, or a process below it, has a connection that it accepted at these addresses; of datagrams, vsock and fifos nobody knows.",
		put:  func(d *draft, v value) { d.service.Idle = v.duration() },
	},
	{
		name: "accept", kind: kindChoice, choices: []string{"packed", "spread"}, preset: `"packed"`, only: notInetd,
		doc: "Which idle worker gets the next client. It is the workers that can order this, so it is a request: spread is told them in BROOD_ACCEPT, and those written with package worker then take turns, where with packed a few do the work. Others take clients as they wait for them. A pool shrinks with either.",
		put: func(d *draft, v value) { d.service.Accept = Packed + AcceptOrder(v.num) },
	},
	{
		name: "ceilings", kind: kindList, example: `["batch"]`,
		also: []string{"groups_of", "pool_group", "slice"},
		doc:  "The [ceiling.NAME] tables whose limit its workers count towards.",
		put:  func(d *draft, v value) { d.fresh.ceilings = v.words },
	},
}

var replaceKeys = []*key{
	{
		name: "max_use", kind: kindCount, preset: `"never"`, example: "1000", min: 1, max: 1 << 30, zero: "never", only: tellsUse,
		also: []string{"max_requests", "max_uses", "maxuse", "requests", "pm_max_requests"},
		doc:  "Replaced after this many clients.",
		put:  func(d *draft, v value) { d.service.MaxUse = int(v.num) },
	},
	{
		name: "max_age", kind: kindTime, preset: `"never"`, example: `"1h"`, min: int64(time.Second), max: int64(timeMax), zero: "never", only: notInetd,
		also: []string{"max_lifetime", "lifetime", "runtime_max"},
		doc:  "Replaced at this age.",
		put:  func(d *draft, v value) { d.service.MaxAge = v.duration() },
	},
	{
		name: "max_memory", kind: kindSize, preset: `"never"`, example: `"512M"`, min: 1 << 20, max: 1 << 50, zero: "never", only: notInetd,
		also: []string{"memory", "memory_limit", "max_rss", "reload_on_rss"},
		doc:  "Replaced when its resident memory is above this. limits.as is the hard limit.",
		put:  func(d *draft, v value) { d.service.MaxMemory = v.num },
	},
}

var lifeKeys = []*key{
	{
		name: "start.timeout", kind: kindTime, preset: `"10s"`, min: int64(timeMin), max: int64(timeMax), zero: "never", only: notInetd,
		also: []string{"timeoutstartsec", "start_timeout", "startsecs"},
		doc:  "How long a new worker may take until it is ready. With start.notify that is READY=1; with postfix the first report while clients wait: one that is late is ended, and counts as a failed start. The others cannot say it: until clients are seen to be taken, and for this long at most, a newborn is believed to be starting, and clients that come get no further worker.",
		put:  func(d *draft, v value) { d.service.Start.Timeout = v.duration() },
	},
	{
		name: "start.notify", kind: kindFlag, preset: "false", only: systemd,
		also: []string{"notify", "sd_notify"},
		doc:  "Whether a worker says READY=1 once it can serve. One that has not by start.timeout is ended, and counts as a failed start.",
		put:  func(d *draft, v value) { d.service.Start.Notify = v.flag },
	},
	{
		name: "start.ramp", kind: kindCount, preset: "4", min: 1, max: 1000,
		doc: "The most births under way at one time, so that a rush does not become a storm.",
		put: func(d *draft, v value) { d.service.Start.Ramp = int(v.num) },
	},
	{
		name: "stop.drain", kind: kindTime, preset: `"never"`, example: `"5m"`, min: int64(timeMin), max: int64(timeMax), zero: "never", only: tellsBusy,
		doc: "How long a worker that is to go may take for the client it has, before it gets the signal. \"never\" waits for the client.",
		put: func(d *draft, v value) { d.service.Stop.Drain = v.duration() },
	},
	{
		name: "stop.signal", kind: kindSignal, preset: `"TERM"`,
		also: []string{"stopsignal", "kill_signal", "stop_signal", "killsignal"},
		doc:  "What asks a worker to leave.",
		put:  func(d *draft, v value) { d.service.Stop.Signal = int(v.num) },
	},
	{
		name: "stop.timeout", kind: kindTime, preset: `"30s"`, min: int64(timeMin), max: int64(timeMax),
		also: []string{"stopwaitsecs", "timeoutstopsec", "kill_timeout", "stop_timeout", "grace"},
		doc:  "How long it may take after the signal, before KILL.",
		put:  func(d *draft, v value) { d.service.Stop.Timeout = v.duration() },
	},
	{
		name: "backoff.first", kind: kindTime, preset: `"1s"`, min: int64(timeMin), max: int64(timeMax),
		also: []string{"restart", "restartsec", "throttle", "delay", "restart_delay"},
		doc:  "How long no worker is born after a failed start: one ended badly before its first client, was not ready in time, or could not be executed; or ten in a row ended with status 0 within a second, and nobody knows of a client. Then one is tried alone; those that live go on serving. With inetd, where a client may be the cause, only a program that cannot be executed counts.",
		put:  func(d *draft, v value) { d.service.Backoff.First = v.duration() },
	},
	{
		name: "backoff.factor", kind: kindFactor, preset: "2", min: 1, max: 100,
		doc: "How many times longer each further failure in a row makes it.",
		put: func(d *draft, v value) { d.service.Backoff.Factor = v.ratio },
	},
	{
		name: "backoff.max", kind: kindTime, preset: `"60s"`, min: int64(timeMin), max: int64(timeMax),
		doc: "The longest it gets. A worker that lives this long, or serves a client, sets it back to first.",
		put: func(d *draft, v value) { d.service.Backoff.Max = v.duration() },
	},
	{
		name: "backoff.tries", kind: kindCount, preset: `"unlimited"`, example: "10", min: 1, max: 1 << 30, zero: "unlimited",
		also: []string{"startretries", "retries", "max_restarts", "startlimitburst"},
		doc:  "Gives up after this many failures in a row. Where only on_give_up is written it is 10.",
		put:  func(d *draft, v value) { d.service.Backoff.Tries = int(v.num) },
	},
	{
		name: "on_give_up", kind: kindChoice, choices: []string{"retry", "hold", "close", "exit"}, preset: `"retry"`, example: `"hold"`,
		doc: "What becomes of a service whose workers cannot be started: retry goes on trying, every backoff.max at last; hold stops trying and leaves the sockets open, so that clients wait for an operator; close refuses them; exit stops brood with status 1. With backoff.tries alone it is hold.",
		put: func(d *draft, v value) { d.service.OnGiveUp = plan.GiveUpRetry + plan.GiveUp(v.num) },
	},
	{
		name: "essential", kind: kindFlag, preset: "false",
		also: []string{"critical", "required", "autostart"},
		doc:  "Whether brood refuses to start when this service cannot listen. Without it the others serve, and this one is tried again.",
		put:  func(d *draft, v value) { d.service.Essential = v.flag },
	},
	{
		name: "orphans", kind: kindChoice, choices: []string{"stop", "stay"}, preset: `"stop"`,
		also: []string{"pdeathsig", "kill_mode", "die_on_term"},
		doc:  "What workers do when brood itself was killed: stop has the kernel send them stop.signal, stay leaves them alone.",
		put:  func(d *draft, v value) { d.service.Orphans = OrphansStop + OrphanFate(v.num) },
	},
}

var hangKeys = []*key{
	{
		name: "heartbeat", kind: kindTime, preset: `"never"`, example: `"30s"`, min: int64(10 * time.Millisecond), max: int64(timeMax), zero: "never", only: systemd,
		also: []string{"watchdog", "watchdogsec", "health", "healthcheck"},
		doc:  "The longest time between two WATCHDOG=1 of a worker; it is told in WATCHDOG_USEC.",
		put:  func(d *draft, v value) { d.service.Heartbeat = v.duration() },
	},
	{
		name: "busy", kind: kindTime, preset: `"never"`, example: `"5m"`, min: int64(timeMin), max: int64(timeMax), zero: "never", only: tellsBusy,
		also: []string{"request_timeout", "request_terminate_timeout", "harakiri", "job_timeout"},
		doc:  "The longest that a worker may be with one client.",
		put:  func(d *draft, v value) { d.service.Busy = v.duration() },
	},
}

var signalKeys = []*key{
	{
		name: "every", kind: kindEvery, preset: `"never"`, example: `"5m"`, min: int64(time.Second), max: int64(timeMax), zero: "never",
		also: []string{"wakeup", "wake_up", "interval", "cron", "schedule", "timer"},
		doc:  "Connects to the first address this often, and hangs up, so that a worker with something to do by the clock lives. A fifo gets one byte. With a ? behind it, as \"5m?\", only once a first worker was born for a client.",
		put:  func(d *draft, v value) { d.service.Every, d.service.EveryOnUse = v.duration(), v.flag },
	},
	{
		name: "stress", kind: kindChoice, choices: []string{"off", "environment", "restart"}, preset: `"off"`,
		doc: "What is done when the pool is nearly full: environment has workers born then see BROOD_STRESS=yes, so that they can do less for each client; restart also replaces the older ones.",
		put: func(d *draft, v value) { d.service.Stress = StressOff + StressReaction(v.num) },
	},
}

var surroundingKeys = []*key{
	{
		name: "user", kind: kindName, example: `"www-data"`, places: true,
		also: []string{"uid", "run_as", "owner"},
		doc:  "The user, by name or number. Needs root, unless it is the user that brood runs as. Without it: brood's own.",
		put:  func(d *draft, v value) { d.fresh.user = v.word() },
	},
	{
		name: "group", kind: kindName, example: `"www-data"`, places: true,
		also: []string{"gid"},
		doc:  "The group, by name or number. Without it: the user's own.",
		put:  func(d *draft, v value) { d.fresh.group = v.word() },
	},
	{
		name: "groups", kind: kindList, example: `["ssl-cert"]`,
		also: []string{"supplementary_groups", "supplementarygroups", "extra_groups"},
		doc:  "Further groups. Without it: those that the user is a member of.",
		put:  func(d *draft, v value) { d.fresh.groups = v.words },
	},
	{
		name: "directory", kind: kindPath, example: `"/srv/web"`, places: true,
		also: []string{"dir", "cwd", "chdir", "working_directory", "workingdirectory", "workdir", "root"},
		doc:  "The working directory. Without it, and where a path is relative: the directory of brood.toml.",
		put:  func(d *draft, v value) { d.fresh.directory = v.word() },
	},
	{
		name: "umask", kind: kindMask, preset: `"022"`,
		doc: "The file mode creation mask.",
		put: func(d *draft, v value) { d.service.Umask = uint32(v.num) },
	},
	{
		name: "env", kind: kindEnv, example: `{ APP_ENV = "prod" }`, places: true,
		also: []string{"environment", "environ", "envs", "vars"},
		doc:  "Variables of the environment.",
		put:  func(d *draft, v value) { d.fresh.env = mergeEnv(d.fresh.env, v.env) },
	},
	{
		name: "env_file", kind: kindPaths, example: `"/etc/default/web"`, places: true,
		also: []string{"environment_file", "environmentfile", "envfile", "dotenv"},
		doc:  "Files of NAME=value lines, read when brood starts and at each reload. What env sets wins over them, and a later file over an earlier one.",
		put:  func(d *draft, v value) { d.fresh.envFiles = v.words },
	},
	{
		name: "env_pass", kind: kindList, preset: `["PATH", "LANG", "LC_ALL", "TZ"]`,
		also: []string{"inherit_env", "passenvironment", "pass_env", "import_environment"},
		doc:  "The variables of brood's own environment that its workers see. Nothing else gets through. HOME, USER, LOGNAME and SHELL follow from user.",
		put: func(d *draft, v value) {
			d.fresh.envPass = d.fresh.envPass[:0:0]
			for _, w := range v.words {
				d.fresh.envPass = append(d.fresh.envPass, w.text)
			}
		},
	},
}

// limitKeys has one key a resource, in alphabetical order.
var limitKeys = sync.OnceValue(func() []*key {
	var keys []*key
	for name, res := range resources {
		k := &key{name: "limits." + name, kind: kindLimit, example: "1024", doc: "Limits " + res.doc + "."}
		switch res.unit {
		case limitBytes:
			k.example = `"1G"`
		case limitSeconds:
			k.example = `"10m"`
		}
		if name == "nice" || name == "rtprio" {
			k.example = "20"
		}
		k.put = func(d *draft, v value) { d.service.Limits = mergeLimit(d.service.Limits, v.limit) }
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].name < keys[j].name })
	return keys
})

// logKeys are the log keys of a service, and of brood itself as the default.
var logKeys = []*key{
	{
		name: "log.to", kind: kindLogTo, preset: `"stdout"`, places: true,
		also: []string{"output", "logfile", "stdout_logfile", "log_file", "stderr"},
		doc:  "stdout and stderr are brood's own; syslog, journal, discard, or the path of a file that is appended to.",
		put: func(d *draft, v value) {
			d.log().To = v.text
			if d.fresh != nil {
				d.fresh.logTo = v.word()
			}
		},
	},
	{
		name: "log.format", kind: kindChoice, choices: []string{"text", "json"}, preset: `"text"`,
		doc: "How a line looks.",
		put: func(d *draft, v value) { d.log().Format = v.text },
	},
	{
		name: "log.facility", kind: kindChoice, preset: `"daemon"`,
		choices: []string{"daemon", "user", "mail", "news", "cron", "auth", "authpriv", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"},
		doc:     "The facility of syslog and the journal.",
		put:     func(d *draft, v value) { d.log().Facility = v.text },
	},
	{
		name: "log.rate", kind: kindCount, preset: "1000", min: 1, max: 1 << 30, zero: "unlimited",
		also: []string{"rate_limit", "log_rate"},
		doc:  "The most lines per second of one service; those above it are counted, and the count is logged.",
		put:  func(d *draft, v value) { d.log().Rate = int(v.num) },
	},
	{
		name: "log.keep", kind: kindCount, preset: "30", max: 1000,
		doc: "How many of a worker's last lines are kept, to be told when it fails.",
		put: func(d *draft, v value) { d.log().Keep = int(v.num) },
	},
}

func (d *draft) log() *Log {
	if d.service != nil {
		return &d.service.Log
	}
	return &d.brood.Log
}

// broodKeys are those of [brood].
var broodKeys = sync.OnceValue(func() []*key {
	return append([]*key{
		{
			name: "max_workers", kind: kindCount, preset: `"unlimited"`, example: "200", min: 1, max: workersMax, zero: "unlimited",
			also: []string{"workers", "limit", "max"},
			doc:  "The most workers of all services together. The floors (workers.min) come first.",
			put:  func(d *draft, v value) { d.brood.MaxWorkers = int(v.num) },
		},
		{
			name: "runtime", kind: kindPath, example: `"/run/brood"`,
			also: []string{"runtime_dir", "run_dir", "rundir", "state", "pid_dir"},
			doc:  "Where brood's own sockets are, and what {runtime} stands for. Without it: /run/brood for root, $XDG_RUNTIME_DIR/brood for others, or where that is not set /tmp/brood-UID.",
			put:  func(d *draft, v value) { d.brood.Runtime = v.text },
		},
		{
			name: "control", kind: kindPath, example: `"/run/brood/brood.sock"`,
			also: []string{"socket", "control_socket", "admin", "unix_http_server", "api"},
			doc:  "The socket by which the brood command asks and operates, or \"off\". Without it: brood.sock in runtime. All users may ask how things are, see control.md. A change takes effect at the next start.",
			put:  func(d *draft, v value) { d.brood.Control = v.text },
		},
		{
			name: "operators", kind: kindList, example: `["adm"]`,
			also: []string{"control_group", "control_groups", "admins", "admin_groups"},
			doc:  "Groups whose members may operate by that socket: reload, scale, pause, drain a service and the like. Root, and the user that brood runs as, may do everything. A change takes effect at the next start.",
			put:  func(d *draft, v value) { d.operators = v.words },
		},
		{
			name: "drain", kind: kindTime, preset: `"never"`, example: `"5m"`, min: int64(timeMin), max: int64(timeMax), zero: "never",
			doc: "How long TERM waits for the clients in hand, before it does what a second TERM does: stop now. \"never\" waits for them.",
			put: func(d *draft, v value) { d.brood.Drain = v.duration() },
		},
	}, logKeys...)
})

// ceilingKeys are those of [ceiling.NAME].
var ceilingKeys = []*key{
	{
		name: "workers", kind: kindCount, example: "2", min: 1, max: workersMax, required: true,
		also: []string{"max", "limit", "max_workers"},
		doc:  "The most workers at one time of all services that name this ceiling.",
		put:  func(d *draft, v value) { d.ceiling.Workers = int(v.num) },
	},
}

// The three schemas; all that reads a file goes by them.
var (
	serviceSchema  = sync.OnceValue(func() *schema { return newSchema("a service", allKeys(serviceSections())) })
	templateSchema = sync.OnceValue(func() *schema { return newSchema("a template", templateKeys()) })
	broodSchema    = sync.OnceValue(func() *schema { return newSchema("[brood]", broodKeys()) })
	ceilingSchema  = sync.OnceValue(func() *schema { return newSchema("a ceiling", ceilingKeys) })
)

func allKeys(sections []section) []*key {
	var keys []*key
	for _, s := range sections {
		keys = append(keys, s.keys...)
	}
	return keys
}

func templateKeys() []*key {
	var keys []*key
	for _, k := range allKeys(serviceSections()) {
		if !k.once {
			keys = append(keys, k)
		}
	}
	return keys
}

// mergeEnv puts more over env; neither is changed.
func mergeEnv(env, more []variable) []variable {
	if len(env) == 0 {
		return more
	}
	merged := make([]variable, 0, len(env)+len(more))
	at := make(map[string]int, len(env)+len(more))
	for _, v := range append(env[:len(env):len(env)], more...) {
		if i, again := at[v.name]; again {
			merged[i] = v
			continue
		}
		at[v.name] = len(merged)
		merged = append(merged, v)
	}
	return merged
}

func mergeLimit(limits []Limit, l Limit) []Limit {
	merged := make([]Limit, 0, len(limits)+1)
	for _, old := range limits {
		if old.Resource != l.Resource {
			merged = append(merged, old)
		}
	}
	merged = append(merged, l)
	sort.Slice(merged, func(i, j int) bool { return merged[i].Resource < merged[j].Resource })
	return merged
}
