package master

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/brood-project/brood/internal/plan"
	"github.com/brood-project/brood/internal/pool"
)

// TestSocketsOfOthersThatAreGone come back with those of a service that listens
// again, or does so no more, and clients are served there.
func TestSocketsOfOthersThatAreGone(t *testing.T) {
	for _, c := range []struct {
		name string
		when func(w *world, remove func())
	}{
		{"one gives up", func(w *world, remove func()) {
			remove()
			w.connect("s")
			w.logged(0, "gave up after")
		}},
		{"one listens again", func(w *world, remove func()) {
			w.connect("s")
			w.logged(0, "gave up after")
			w.call(func() {}) // it has been shut
			remove()
			w.do(w.m.Reset(within(t), operator, "s"))
		}},
		{"one listens at last", func(w *world, remove func()) {
			w.call(func() {
				s := w.m.services["s"]
				w.m.shut(s)
				s.missing, s.shut = true, false
			})
			remove()
			w.call(w.m.listenMissing)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := systemdOf(t, "s", "crash", pool.Policy{Limit: 1, Backoff: pool.Backoff{First: pool.Millisecond, Tries: 2}})
			s.Wishes.OnGiveUp = plan.GiveUpClose
			w := startNative(t, planOf(s, systemdOf(t, "other", "systemd", pool.Policy{Limit: 1})))
			before := w.connect("other")
			w.answer(before)
			before.Close()
			c.when(w, func() { w.do(os.Remove(filepath.Join(w.dir, "other"))) })
			var client net.Conn
			w.eventually("it can be found again", func() bool {
				var err error
				client, err = net.Dial("unix", filepath.Join(w.dir, "other"))
				return err == nil
			})
			defer client.Close()
			w.answer(client)
		})
	}
}
