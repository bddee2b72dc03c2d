package postfix

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/control"
	"github.com/brood-project/brood/internal/ports"
	"github.com/brood-project/brood/internal/scoreboard"
)

// operator connects to the master's control socket.
func (in *instance) operator() *control.Client {
	in.Helper()
	c, err := control.Dial(in.limit(), in.queue+"/pid/brood.sock")
	must(in, err)
	in.Cleanup(func() { c.Close() })
	return c
}

// limit is a context that no request of a test may outlive.
func (in *instance) limit() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), await.Patience)
	in.Cleanup(cancel)
	return ctx
}

// Each plan that cannot be carried out is refused with the line in master.cf,
// before and when it is tried, and mail flows on; the one that follows is put in
// force, and says what it has done.
func TestOperatorReloads(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		pid := in.start()
		for _, mistake := range mistakes() {
			t.Run(mistake.name, func(t *testing.T) {
				in := in.within(t)
				session := dial(t, address(in.smtp))
				port := ports.Free(t)
				fresh := in.port(port) + " inet"
				in.row(fresh, "n - y - - smtpd")
				mend := mistake.make(in, port)
				in.write()
				want := in.conf + strings.NewReplacer(`\.`, ".", `\b`, "").Replace(strings.TrimSuffix(mistake.says(in, fresh), ".*in use"))
				c := in.operator()
				for _, verb := range []control.Verb{control.VerbPlan, control.VerbReload} {
					var refused *control.Error
					err := c.Do(in.limit(), control.Request{Do: verb}, nil)
					if !errors.As(err, &refused) || refused.Code != control.Refused || len(refused.Diagnostics) == 0 ||
						!strings.HasPrefix(refused.Diagnostics[0].Text, want) || refused.Diagnostics[0].Line == 0 {
						t.Errorf("%s: %+v; want %s", verb, err, want)
					}
				}
				session.say(250, "NOOP")
				mend()
				in.write()
				var planned, done scoreboard.Outcome
				must(t, c.Do(in.limit(), control.Request{Do: control.VerbPlan}, &planned))
				must(t, c.Do(in.limit(), control.Request{Do: control.VerbReload}, &done))
				for _, o := range []scoreboard.Outcome{planned, done} {
					n := len(o.Changes) // the service of the test before may go
					if n == 0 || o.Changes[n-1].Kind != "added" || o.Changes[n-1].Service != in.port(port) || !o.RestartsAll || o.Kept == 0 {
						t.Errorf("%+v", o)
					}
				}
				dial(t, address(port)).say(221, "QUIT")
				session.say(221, "QUIT")
			})
		}
		if in.master() != pid || !alive(pid) {
			t.Fatal("the master was replaced")
		}
	}, brood)
}

// A drain of everything lets a session send its mail, for which other services
// are needed that were idle before, and ends the mail system when it is done.
func TestOperatorDrains(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		pid := in.start()
		session := dial(t, address(in.smtp))
		session.say(250, "HELO client.test")
		from := in.mark()
		lines, end := make(chan scoreboard.Progress, 100), make(chan error, 1)
		var last scoreboard.Progress
		c := in.operator()
		go func() {
			raw, err := c.Stream(in.limit(), control.Request{Do: control.VerbDrain, Deadline: int64(await.Patience)}, func(raw json.RawMessage) error {
				var p scoreboard.Progress
				err := json.Unmarshal(raw, &p)
				lines <- p
				return err
			})
			if err == nil {
				err = json.Unmarshal(raw, &last)
			}
			end <- err
		}()
		select {
		case p := <-lines:
			if len(p.Left) == 0 || p.Deadline == 0 {
				t.Errorf("%+v", p)
			}
		case <-time.After(await.Patience):
			t.Fatal("nothing is told of the drain")
		}
		in.await(from, `drain, asked for by uid 0`)
		session.say(250, "MAIL FROM:<>")
		session.say(250, "RCPT TO:<user@virtual.test>")
		session.say(354, "DATA")
		session.say(250, "Subject: the last one\r\n\r\nhello\r\n.")
		session.say(221, "QUIT")
		select {
		case err := <-end:
			must(t, err)
		case <-time.After(await.Patience):
			t.Fatal("the drain does not end")
		}
		if !last.Done || len(last.CutOff) > 0 {
			t.Errorf("%+v", last)
		}
		in.await(from, `terminating on signal 15`)
		await.That(in, "the master to be gone", func() bool { return !alive(pid) })
		files, err := filepath.Glob(in.queue + "/pid/*.sock")
		if must(t, err); len(files) > 0 {
			t.Errorf("it has left %q", files)
		}
	}, brood)
}

// The control socket survives reloads, is replaced after a kill, and is nothing
// that postfix(1) dislikes.
func TestControlSocket(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		in.start()
		if out := in.postfix("check"); strings.Contains(out, "brood") {
			t.Errorf("postfix check says %q", out)
		}
		path := in.queue + "/pid/brood.sock"
		before, err := os.Lstat(path)
		must(t, err)
		in.reload()
		after, err := os.Lstat(path)
		must(t, err)
		if !os.SameFile(before, after) {
			t.Error("a reload has replaced the socket")
		}
		must(t, os.Remove(path))
		in.reload()
		var p scoreboard.Picture
		must(t, in.operator().Do(in.limit(), control.Request{Do: control.VerbPicture}, &p))
		if p.Mode != "postfix" || int(p.PID) != in.master() || len(p.Services) != len(in.rows) {
			t.Errorf("%d services by %q pid %d", len(p.Services), p.Mode, p.PID)
		}
		for _, process := range in.processes() {
			_ = syscall.Kill(process.pid, syscall.SIGKILL)
		}
		await.That(in, "all to be gone", func() bool { return len(in.processes()) == 0 })
		in.start()
		must(t, in.operator().Do(in.limit(), control.Request{Do: control.VerbPicture}, &p))
		in.postfix("stop")
		await.That(in, "the socket to be gone", func() bool { _, err := os.Lstat(path); return os.IsNotExist(err) })
	}, brood)
}
