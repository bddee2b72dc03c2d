package control

import (
	"fmt"
	"slices"
)

// Role is what a peer may do; each includes those below it.
type Role uint8

// The roles.
const (
	None Role = iota
	Read
	Operate
	Admin
)

// String returns the role's name on the wire.
func (r Role) String() string {
	switch r {
	case Read:
		return "read"
	case Operate:
		return "operate"
	case Admin:
		return "admin"
	case None:
	}
	return "none"
}

// about says whether a request names a service.
type about uint8

const (
	aboutNone about = iota // it may not
	aboutAny               // it may; without one it is about all
	aboutOne               // it must
)

// rule is what one request needs. The table of rules is the only place that
// says so; docs/control.md shows it, and a test holds the two together.
type rule struct {
	do Verb
	// role is the least that may ask, all the least that may ask about all
	// services at once.
	role, all Role
	about     about
	// fields are those that it may have beside v, id, do and service.
	fields []string
	// does and answers are the words of docs/control.md.
	does, answers string
}

var rules = []rule{
	{
		VerbHello, Read, Read, aboutNone, nil,
		"Says who answers, and what the asker may do.", "`hello`",
	},
	{
		VerbPicture, Read, Read, aboutAny, []string{"workers", "memory"},
		"Draws all of brood, or one service of it, as it is at this moment.", "`picture`",
	},
	{
		VerbRecorder, Read, Read, aboutOne, nil,
		"Tells the last steps of a service: what happened, and what its pool did about it.", "a list of `entry`",
	},
	{
		VerbEvents, Read, Read, aboutAny, []string{"follow", "since"},
		"Tells what has happened, the oldest first, as far back as it is kept; and goes on as it happens with `follow`.",
		"a line with an `event` for each, then one without data",
	},
	{
		VerbPlan, Operate, Operate, aboutAny, nil,
		"Reads the configuration again and says what a reload would do.", "`outcome`",
	},
	{
		VerbReload, Operate, Operate, aboutAny, nil,
		"Carries the configuration out as it is now, and answers when that is done; or refuses, with nothing changed.", "`outcome`",
	},
	{
		VerbRestart, Operate, Operate, aboutAny, nil,
		"Replaces the workers by new ones; those with a client finish it first.", "`done`",
	},
	{
		VerbScale, Operate, Operate, aboutOne, []string{"max", "min", "spare"},
		"Sets how many workers there may be, until the next reload.", "`done`",
	},
	{
		VerbPause, Operate, Operate, aboutAny, nil,
		"Lets no more workers be born; clients wait.", "`done`",
	},
	{
		VerbResume, Operate, Operate, aboutAny, nil,
		"Ends a pause.", "`done`",
	},
	{
		VerbWake, Operate, Operate, aboutAny, nil,
		"Wakes a service up as its timer would.", "`done`",
	},
	{
		VerbReset, Operate, Operate, aboutAny, nil,
		"Ends a throttle, and takes back that brood gave up: births are tried again now.", "`done`",
	},
	{
		VerbDrain, Operate, Admin, aboutAny, []string{"deadline"},
		"Takes no new clients and lets workers finish those they have, until the deadline. The drain of all ends brood.",
		"a line with `progress` whenever it changes, the last one when nothing is left",
	},
	{
		VerbStop, Admin, Admin, aboutNone, []string{"now"},
		"Ends brood.", "`done`, before it ends",
	},
}

// ruleOf finds the rule of a request; nil if there is no such request.
func ruleOf(do Verb) *rule {
	i := slices.IndexFunc(rules, func(r rule) bool { return r.do == do })
	if i < 0 {
		return nil
	}
	return &rules[i]
}

// needs returns the least role that may send the request.
func (r *rule) needs(req *Request) Role {
	if req.Service == "" {
		return r.all
	}
	return r.role
}

// allowed refuses what the peer may not ask.
func (r *rule) allowed(who Peer, req *Request) *Error {
	need := r.needs(req)
	if who.Role >= need {
		return nil
	}
	what, instead := string(req.Do), "be root"
	if r.role < r.all && req.Service == "" {
		what = fmt.Sprintf("%s of all services", req.Do)
	}
	if need <= Operate {
		instead = "be root, or a member of a group of operators"
	}
	return refuse(NotAllowed, "%s needs the role %s, and uid %d has the role %s; %s", what, need, who.UID, who.Role, instead)
}

// permitted lists what a role may ask at all.
func permitted(role Role) []Verb {
	var all []Verb
	for _, r := range rules {
		if role >= r.role {
			all = append(all, r.do)
		}
	}
	return all
}
