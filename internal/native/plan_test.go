package native

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// TestPlan sees what a plan can hold arrive in it.
func TestPlan(t *testing.T) {
	files := map[string]string{"brood.toml": `
[service.web]
instances = ["a"]
listen = ["unix:///run/{instance}.sock?mode=0600", "vsock://:5"]
command = ["cat", "-u"]
protocol = "systemd"
workers = { min = 1, spare = 2, max = 7 }
ceilings = ["few"]
every = "5s?"
stress = "restart"
start = { timeout = "3s", notify = true, ramp = 2 }
stop = { timeout = "4s", signal = "INT", drain = "6s" }
backoff = { first = "2s", tries = 9 }
on_give_up = "close"
essential = true
wait = "20ms"
idle = "30s"
max_use = 11
max_age = "1h"
max_memory = "1M"
heartbeat = "8s"
busy = "9s"
limits.core = 0
log = { to = "/x", format = "json", rate = 3, keep = 4 }
env_pass = []
umask = "027"
[ceiling.few]
workers = 3
[brood]
max_workers = 99
`}
	cfg, ds := Load("brood.toml", Options{machine(files, "")})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	want := &plan.Plan{Source: "brood.toml", Services: []*plan.Service{{
		Name: "web@a", Key: "web@a", Pos: plan.Pos{File: "brood.toml", Line: 2, Col: 10},
		Transport: plan.Unix,
		Endpoints: []plan.Endpoint{
			{Network: plan.NetUnix, Path: "/run/a.sock", Mode: 0o600, UID: -1, GID: -1, Backlog: 4096},
			{Network: plan.NetVsock, Addr: "4294967295", Port: 5, UID: -1, GID: -1, Backlog: 4096},
		},
		Protocol: plan.ProtocolSystemd,
		Command:  plan.Command{Path: "/bin/cat", Args: []string{"cat", "-u"}, Env: []string{}, Dir: "/etc/brood", Umask: 0o27},
		Policy: &pool.Policy{
			Limit: 7, Min: 1, Spare: 2, Ramp: 2, Opaque: true, Ready: true,
			StartTimeout: 3 * pool.Second, Wait: 20 * pool.Millisecond, Idle: 30 * pool.Second,
			MaxUse: 11, MaxAge: 3600 * pool.Second, MaxMemory: 1 << 20, Heartbeat: 8 * pool.Second, Busy: 9 * pool.Second,
			Stress: true, Wakeup: 5 * pool.Second, WakeupOnUse: true,
			Stop:    pool.Stopping{Drain: 6 * pool.Second, Signal: 2, Timeout: 4 * pool.Second},
			Backoff: pool.Backoff{First: 2 * pool.Second, Factor: 2, Max: 60 * pool.Second, Tries: 9},
		},
		Wishes: &plan.Wishes{
			FD: 3, SocketNames: []string{"web@a", "web@a"},
			ListenPos: []plan.Pos{{File: "brood.toml", Line: 4, Col: 11}, {File: "brood.toml", Line: 4, Col: 52}},
			Limits:    []plan.Limit{{Resource: 4}}, OrphanSignal: 2, Essential: true, OnGiveUp: plan.GiveUpClose,
			Ceilings: []string{"few"},
			Output:   plan.Output{To: "/x", JSON: true, Facility: "daemon", Rate: 3, Keep: 4},
		},
	}}, Ceilings: []plan.Ceiling{{Name: "few", Workers: 3}, {Workers: 99}}}
	if diff := cmp.Diff(want, cfg.Plan()); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestTransportOf(t *testing.T) {
	for n, want := range map[plan.Network]plan.Transport{
		plan.NetTCP: plan.Inet, plan.NetUDP: plan.UDP, plan.NetUnix: plan.Unix,
		plan.NetUnixgram: plan.UnixDgram, plan.NetFifo: plan.Fifo, plan.NetVsock: plan.Vsock,
	} {
		if got := transportOf(n); got != want {
			t.Errorf("network %d is transport %d, want %d", n, got, want)
		}
	}
}

// TestAnAddressIsTold as it may be written: what brood plan prints can be put into
// the file again.
func TestAnAddressIsTold(t *testing.T) {
	for _, written := range []string{
		"tcp://127.0.0.1:80", "tcp://[::1]:80", "tcp://[::]:80", "tcp://:80", "udp://:53",
		"unix:///run/web.sock", "unix://@web", "unixgram:///run/web.sock", "unixgram://@web", "fifo:///run/web",
		"vsock://3:5000", "vsock://:5000",
	} {
		a, faults := parseAddress(written)
		if len(faults) > 0 {
			t.Errorf("%s: %+v", written, faults)
		}
		if told := a.Endpoint.String(); told != written {
			t.Errorf("%s is told as %s", written, told)
		}
	}
}

// TestGiveUp sees each of the two keys mean something without the other.
func TestGiveUp(t *testing.T) {
	for text, want := range map[string]struct {
		tries   int
		follows plan.GiveUp
	}{
		"":                            {0, plan.GiveUpRetry},
		`on_give_up = "retry"`:        {0, plan.GiveUpRetry},
		`on_give_up = "exit"`:         {10, plan.GiveUpExit},
		"backoff.tries = 3":           {3, plan.GiveUpHold},
		`backoff.tries = "unlimited"`: {0, plan.GiveUpRetry},
		"backoff.tries = 3\non_give_up = \"close\"": {3, plan.GiveUpClose},
	} {
		cfg, ds := loadWithFile(plan.ProtocolInetd, text)
		if ds.Failed() {
			t.Errorf("%s: %v", text, ds)
			continue
		}
		if s := cfg.Services[0]; s.Backoff.Tries != want.tries || s.OnGiveUp != want.follows {
			t.Errorf("%s: gives up after %d, and then %d; want %+v", text, s.Backoff.Tries, s.OnGiveUp, want)
		}
	}
}
