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
		do: VerbHello, role: Read, all: Read, about: aboutNone,
		does:    "Says who answers, and what the asker may do.",
		answers: "`hello`",
	},
	{
		do: VerbPicture, role: Read, all: Read, about: aboutAny, fields: []string{"workers", "memory"},
		does:    "Draws all of brood, or one service of it, as it is at this moment.",
		answers: "`picture`",
	},
	{
		do: VerbRecorder, role: Read, all: Read, about: aboutOne,
		does:    "Tells the last steps of a service: what happened, and what its pool did about it.",
		answers: "list of `entry`",
	},
	{
		do: VerbEvents, role: Read, all: Read, about: aboutAny, fields: []string{"follow", "since"},
		does:    "Tells what has happened, the oldest first, as far back as it is kept; with `follow` it goes on.",
		answers: "a line with an `event` for each; the last line has no data",
	},
	{
		do: VerbPlan, role: Operate, all: Operate, about: aboutAny,
		does:    "Reads the configuration anew and says what a reload would do.",
		answers: "`outcome`",
	},
	{
		do: VerbReload, role: Operate, all: Operate, about: aboutAny,
		does:    "Carries out the configuration as it is now and answers when that is done; or refuses, and nothing has changed.",
		answers: "`outcome`",
	},
	{
		do: VerbRestart, role: Operate, all: Operate, about: aboutAny,
		does:    "Replaces workers by new ones; those with a client finish it first.",
		answers: "`done`",
	},
	{
		do: VerbScale, role: Operate, all: Operate, about: aboutOne, fields: []string{"max", "min", "spare"},
		does:    "Sets how many workers there may be and are kept, until the next reload.",
		answers: "`done`",
	},
	{
		do: VerbPause, role: Operate, all: Operate, about: aboutAny,
		does:    "Lets no more workers be born; those that live go on, and clients for whom there is none wait.",
		answers: "`done`",
	},
	{
		do: VerbResume, role: Operate, all: Operate, about: aboutAny,
		does:    "Ends a pause or a drain.",
		answers: "`done`",
	},
	{
		do: VerbWake, role: Operate, all: Operate, about: aboutAny,
		does:    "Wakes services up as their timer would.",
		answers: "`done`",
	},
	{
		do: VerbReset, role: Operate, all: Operate, about: aboutAny,
		does:    "Tries births again now, after a throttle or when brood gave up.",
		answers: "`done`",
	},
	{
		do: VerbDrain, role: Operate, all: Admin, about: aboutAny, fields: []string{"deadline"},
		does:    "Takes no new clients and lets workers finish those they have, until the deadline. A drain of all services ends brood.",
		answers: "a line with a `progress` whenever it changes; the last one has nothing left",
	},
	{
		do: VerbStop, role: Admin, all: Admin, about: aboutNone, fields: []string{"now"},
		does:    "Ends brood.",
		answers: "`done`, before it ends",
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
