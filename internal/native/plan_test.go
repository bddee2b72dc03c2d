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
workers.max = 7
every = "5s?"
stress = "restart"
start = { timeout = "3s", ramp = 2 }
stop.timeout = "4s"
backoff.first = "2s"
env_pass = []
umask = "027"
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
		Policy: pool.Policy{
			Limit: 7, Throttle: 2 * pool.Second, Stress: true, Wakeup: 5 * pool.Second, WakeupOnUse: true,
			KillAfter: 4 * pool.Second, Patience: 3 * pool.Second, Ramp: 2,
		},
	}}}
	if diff := cmp.Diff(want, cfg.Plan()); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	for n, want := range map[plan.Network]plan.Transport{
		plan.NetTCP: plan.Inet, plan.NetUDP: plan.UDP, plan.NetUnix: plan.Unix,
		plan.NetUnixgram: plan.UnixDgram, plan.NetFifo: plan.Fifo, plan.NetVsock: plan.Vsock,
	} {
		if got := transportOf(n); got != want {
			t.Errorf("network %d is transport %d, want %d", n, got, want)
		}
	}
}
