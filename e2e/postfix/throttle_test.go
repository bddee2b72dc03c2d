package postfix

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/ports"
)

// An smtpd that cannot live with its configuration is held back, a correction
// heals it, and the client that waited in between is served. Ours says in the
// same line what an administrator would have to gather from the whole log.
func TestThrottle(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		in.set("service_throttle_time", "2s")
		in.set("smtpd_relay_restrictions", "permit_mynetworks") // relays for all
		in.start()
		from, began := in.mark(), time.Now()
		waiting := dialFrom(t, "127.0.0.1", address(in.smtp))
		smtpd := regexp.QuoteMeta(in.sbin) + "/smtpd"
		in.await(from, `smtpd\[\d+\]: fatal: in parameter smtpd_relay_restrictions`)
		in.await(from, `master\[\d+\]: warning: process `+smtpd+` pid \d+ exit status 1`)
		line := in.await(from, `master\[\d+\]: warning: `+smtpd+`: bad command startup -- throttling`)[0]
		if master.name == brood.name {
			for _, want := range []string{
				`exit status 1`, `age \S+`, `uses 0|0 uses`, `fatal: in parameter smtpd_relay_restrictions`, `next try`,
			} {
				if !regexp.MustCompile(want).MatchString(line) {
					t.Errorf("the throttle line lacks %q: %s", want, line)
				}
			}
		}
		// The stock master counts whole seconds of the clock: of two, one may be
		// missing.
		if n := in.exits(from, "smtpd"); n > 1+int(time.Since(began)/time.Second) {
			t.Errorf("%d smtpds were born while the service was throttled", n)
		}
		in.set("smtpd_relay_restrictions", "permit_mynetworks, reject_unauth_destination")
		in.reload()
		waiting.expect(220)
		waiting.say(221, "QUIT")
		in.seen("smtpd")
	}, both()...)
}

// exits counts the abnormal ends of a daemon since a mark.
func (in *instance) exits(mark int64, daemon string) int {
	return len(regexp.MustCompile(fmt.Sprintf(`process \S+/%s pid \d+ exit status`, daemon)).FindAllString(in.since(mark), -1))
}

// A daemon whose program does not exist is held back too, and comes to life
// when the program does.
func TestMissingProgram(t *testing.T) {
	under(t, func(t *testing.T, master flavour) {
		in := newInstance(t, master)
		addr := address(ports.Free(t))
		in.row(addr+" inet", "n - n - - latecomer")
		in.write()
		in.start()
		from := in.mark()
		waiting := dialFrom(t, "127.0.0.1", addr)
		in.await(from, `master\[\d+\]: warning: .*latecomer.*throttling`)
		copyFile(t, debianDaemons+"/smtpd", in.sbin+"/latecomer")
		waiting.expect(220)
	}, both()...)
}
