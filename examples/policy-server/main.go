// Command policy-server answers the questions that Postfix's smtpd(8) asks with
// check_policy_service (SMTPD_POLICY_README): may this client go on? It looks
// senders, recipients and client addresses up in a table and limits how many
// recipients a minute one client address may name.
//
// In master.cf:
//
//	policy unix - n n - 1 policy-server
//	    -o policy_table=/etc/postfix/policy -o policy_rate=60
//
// and in main.cf:
//
//	smtpd_recipient_restrictions = …, check_policy_service unix:private/policy
//
// The service is limited to one process, which serves all clients, because the
// counts are kept in its memory. They are lost when it leaves, which lets a
// client start anew; nobody is refused by mistake.
//
// It never keeps mail from flowing for a reason of its own: a request that it
// does not understand ends the connection, upon which smtpd asks again and then
// does as its own smtpd_policy_service_default_action says.
package main

import (
	"context"
	"fmt"
	"math"
	"net"
	"strconv"
	"time"

	"github.com/brood-project/brood/worker"
)

func main() {
	p := &policy{limit: newLimit(0, time.Minute)}
	options := worker.Options{
		// A count of clients is no reason to forget the counts of recipients.
		MaxUse:  math.MaxInt32,
		Prepare: p.prepare,
	}
	worker.Main(options, func(ctx context.Context, w *worker.Worker) error {
		return w.ServeMulti(ctx, 0, func(_ context.Context, conn net.Conn) {
			if err := answerAll(conn, p.decide); err != nil {
				w.Logger().Warn(err.Error())
			}
		})
	})
}

// policy is what the server decides by.
type policy struct {
	table table
	limit *limit
}

// prepare runs while the table can still be read.
func (p *policy) prepare(w *worker.Worker) error {
	if path, ok := w.Parameter("policy_table"); ok {
		var err error
		if p.table, err = readTable(path); err != nil {
			return err
		}
	}
	if text, ok := w.Parameter("policy_rate"); ok {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return fmt.Errorf("cannot use policy_rate: want recipients a minute, not %q", text)
		}
		p.limit = newLimit(n, time.Minute)
	}
	return nil
}

// decide returns the action of an access(5) table. DUNNO leaves the decision to
// the restrictions that follow.
func (p *policy) decide(r request) string {
	if action, ok := p.table.find(r); ok {
		return action
	}
	if r["protocol_state"] == "RCPT" && !p.limit.allow(r["client_address"], time.Now()) {
		return "DEFER_IF_PERMIT Too many recipients from your address, please slow down"
	}
	return "DUNNO"
}
