package plan_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// nativeService has every field set, so that a change of any is a change between
// two values.
func nativeService() *plan.Service {
	return &plan.Service{
		Name: "web", Key: "web", Pos: plan.Pos{File: "brood.toml", Line: 3, Col: 1},
		Transport: plan.Inet, Protocol: plan.ProtocolSystemd,
		Endpoints: []plan.Endpoint{{Network: plan.NetTCP, Addr: "127.0.0.1", Port: 80, UID: -1, GID: -1, Backlog: 128}},
		Command: plan.Command{
			Path: "/usr/bin/web", Args: []string{"web", "-x"}, Env: []string{"KEY=secret", "TZ=UTC"}, Dir: "/srv", Umask: 0o22,
		},
		Policy: &pool.Policy{
			Limit: 20, Min: 1, Spare: 2, Ramp: 4, Wait: 100 * pool.Millisecond, Idle: 60 * pool.Second, MaxUse: 50,
			StartTimeout: 10 * pool.Second, Stop: pool.Stopping{Signal: 15, Timeout: 30 * pool.Second},
			Backoff: pool.Backoff{First: pool.Second, Factor: 2, Max: 60 * pool.Second},
		},
		Wishes: &plan.Wishes{
			FD: 3, SocketNames: []string{"web"}, ListenPos: []plan.Pos{{File: "brood.toml", Line: 4}},
			Account: &plan.Account{UID: 33, GID: 33, GIDs: []int{33}}, Limits: []plan.Limit{{Resource: 7, Soft: 1024, Hard: 1024}},
			OrphanSignal: 15, OnGiveUp: plan.GiveUpHold, Ceilings: []string{"batch"},
			Output: plan.Output{To: plan.OutputStdout, Facility: "daemon", Rate: 1000, Keep: 10},
		},
	}
}

func masterService() *plan.Service {
	return &plan.Service{
		Name: "smtp", Key: "inet:25", Canonical: "25", Transport: plan.Inet, Protocol: plan.ProtocolPostfix,
		Endpoints: []plan.Endpoint{{Network: plan.NetTCP, Port: 25, UID: -1, GID: -1, Backlog: 100}},
		Command: plan.Command{
			Path: "/usr/lib/postfix/sbin/smtpd", Args: []string{"smtpd", "-n", "smtp", "-t", "inet", "-u", "-o", "stress=", "-v"},
			StressArgs: []string{"smtpd", "-n", "smtp", "-t", "inet", "-u", "-o", "stress=yes", "-v"},
			Env:        []string{"MAIL_CONFIG=/etc/postfix"}, Dir: "/var/spool/postfix", Umask: 0o77, IgnoreSIGPIPE: true,
		},
		Policy: &pool.Policy{Limit: 100, Throttle: 60 * pool.Second, Stress: true, KillAfter: 10 * pool.Second, Ramp: 4},
	}
}

// positions are the fields in which two plans may differ without a difference.
var positions = map[string]bool{".Pos": true, ".Wishes.ListenPos": true}

// TestEveryFieldIsExplained changes one field after the other, however deep.
func TestEveryFieldIsExplained(t *testing.T) {
	for name, base := range map[string]func() *plan.Service{"brood.toml": nativeService, "master.cf": masterService} {
		if d := plan.Explain(base(), base()); d != nil {
			t.Errorf("%s: the same, and yet %v", name, d)
		}
		for i := 0; ; i++ {
			next, left := base(), i
			path, found := change(reflect.ValueOf(next).Elem(), "", &left)
			if !found {
				break
			}
			d := plan.Explain(base(), next)
			if (d == nil) != positions[path] {
				t.Errorf("%s: %s was changed, and explained as %v", name, path, d)
			}
			for _, one := range d {
				if one.Key == "" || !strings.HasPrefix(one.Text, one.Key+": ") || strings.Contains(one.Text, "secret") {
					t.Errorf("%s: %s: %+v", name, path, one)
				}
			}
		}
	}
}

// change gives the leaf with the number *left another value, and says which it is.
func change(v reflect.Value, path string, left *int) (string, bool) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			next := path + "." + v.Type().Field(i).Name
			if positions[next] {
				continue
			}
			if found, ok := change(v.Field(i), next, left); ok {
				return found, true
			}
		}
		return "", false
	case reflect.Pointer:
		if v.IsNil() {
			return "", false
		}
		return change(v.Elem(), path, left)
	}
	if *left > 0 {
		*left--
		return "", false
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), v.Len()+1, v.Len()+1))
	case reflect.Float64:
		v.SetFloat(v.Float() + 1)
	case reflect.Uint8, reflect.Uint32:
		v.SetUint(v.Uint() + 1)
	default:
		v.SetInt(v.Int() + 1)
	}
	return path, true
}

func texts(ds []plan.Difference) (all []string) {
	for _, d := range ds {
		text := d.Text
		if d.Birth {
			text += " (birth)"
		}
		all = append(all, text)
	}
	return all
}

func TestExplainsInTheWordsOfBroodToml(t *testing.T) {
	old, next := nativeService(), nativeService()
	next.Endpoints = append(next.Endpoints,
		plan.Endpoint{Network: plan.NetUnix, Path: "/run/web.sock", Mode: 0o660, UID: -1, GID: -1, Backlog: 128},
		plan.Endpoint{Network: plan.NetTCP, Addr: "::1", Port: 80, Backlog: 128})
	next.Endpoints = next.Endpoints[1:]
	next.Wishes.SocketNames = []string{"web", "web"}
	next.Command.Args = []string{"web", "-y"}
	next.Command.Env = []string{"KEY=another", "LANG=C"}
	next.Policy.MaxUse, next.Policy.Limit, next.Policy.Idle = 0, 8, 5400*pool.Second
	next.Policy.MaxMemory, next.Policy.Stop.Drain = 512<<20, 250*pool.Millisecond
	next.Wishes.Account = nil
	next.Wishes.Limits = []plan.Limit{{Resource: 7, Soft: 1024, Hard: ^uint64(0)}, {Resource: 4}}
	next.Wishes.OnGiveUp, next.Wishes.OrphanSignal = plan.GiveUpExit, 0
	want := []string{
		"listen: added unix:///run/web.sock (birth)",
		"listen: added tcp://[::1]:80 (birth)",
		"listen: removed tcp://127.0.0.1:80 (birth)",
		`listen: sockets are named ["web", "web"] (birth)`,
		`command: ["web", "-y"], was ["web", "-x"] (birth)`,
		"workers.max: 8, was 20",
		"idle: 1h30m, was 1m",
		"max_use: never, was 50",
		"max_memory: 512M, was never",
		"stop.drain: 250ms, was never",
		"on_give_up: exit, was hold",
		"orphans: stay, was stop with TERM (birth)",
		"user: brood's own, was 33 (birth)",
		"group: brood's own, was 33 (birth)",
		"groups: brood's own, was [33] (birth)",
		"env: changed KEY, added LANG, removed TZ (birth)",
		"limits.nofile: 1024:unlimited, was 1024 (birth)",
		"limits.core: 0, was not set (birth)",
	}
	if diff := cmp.Diff(want, texts(plan.Explain(old, next))); diff != "" {
		t.Error(diff)
	}
}

func TestExplainsInTheColumnsOfMasterCf(t *testing.T) {
	old, next := masterService(), masterService()
	next.Endpoints = []plan.Endpoint{
		{Network: plan.NetTCP, Addr: "127.0.0.1", Port: 25, UID: -1, GID: -1, Backlog: 50},
		{Network: plan.NetTCP, Addr: "::1", Port: 25, UID: -1, GID: -1, Backlog: 50},
	}
	next.Policy.Limit, next.Policy.Stress = 1, false
	next.Policy.Wakeup, next.Policy.WakeupOnUse = 60*pool.Second, true
	next.Command.Args = []string{"smtpd", "-l", "-n", "smtp", "-t", "inet", "-c", "-s", "2", "-o", "content_filter="}
	next.Command.StressArgs = nil
	want := []string{
		"inet_interfaces or service: added tcp://127.0.0.1:25 (birth)",
		"inet_interfaces or service: added tcp://[::1]:25 (birth)",
		"inet_interfaces or service: removed tcp://:25 (birth)",
		"unpriv: n, was y (birth)",
		"chroot: y, was n (birth)",
		"wakeup: 60?, was 0 (birth)",
		"maxproc: 1, was 100 (birth)",
		`command + args: ["smtpd", "-o", "content_filter="], was ["smtpd", "-v"] (birth)`,
	}
	if diff := cmp.Diff(want, texts(plan.Explain(old, next))); diff != "" {
		t.Error(diff)
	}
}
