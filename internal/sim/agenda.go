package sim

// thing is one thing that will happen in the world.
type thing struct {
	at      int64  // nanoseconds of the world's own time
	order   uint64 // of two at the same time, the one planned first comes first
	kind    thingKind
	service *service
	process *process
	token   uint64 // it is off if the one concerned has another by then
	pid     int32
	sender  int32
	gen     uint32
	state   int32
	channel int
}

// thingKind says what happens.
type thingKind uint8

const (
	clientsArrive thingKind = iota + 1
	clientGivesUp
	clientsAnnounced
	childForks
	birthAnswered
	birthFailed
	processActs
	processNoticesEOF
	processGetsTERM
	processGetsKILL
	processReaped
	recordRead
	ringComes
	needlessRing
	lookAnswered
	planChanges
	serviceEnds
	operatorPardons
	serviceAudited
	serviceBegins
	clockLeaps
	forksFail
	forksWork
	operatorActs
	pauseEnds
	slotIsFree
	placeIsAsked
	memoryMeasured
	processGetsStop
	processSpeaks
)

// agenda is a heap of things, nearest first.
type agenda struct {
	things []thing
	orders uint64
}

func (t *thing) before(u *thing) bool {
	return t.at < u.at || t.at == u.at && t.order < u.order
}

func (a *agenda) plan(t thing) {
	a.orders++
	t.order = a.orders
	a.things = append(a.things, t)
	i := len(a.things) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !t.before(&a.things[up]) {
			break
		}
		a.things[i] = a.things[up]
		i = up
	}
	a.things[i] = t
}

// next takes out the nearest thing; false if nothing will ever happen again.
func (a *agenda) next() (thing, bool) {
	if len(a.things) == 0 {
		return thing{}, false
	}
	first := a.things[0]
	n := len(a.things) - 1
	last := a.things[n]
	a.things[n] = thing{}
	a.things = a.things[:n]
	if n == 0 {
		return first, true
	}
	i := 0
	for {
		kid := 2*i + 1
		if kid >= n {
			break
		}
		if kid+1 < n && a.things[kid+1].before(&a.things[kid]) {
			kid++
		}
		if !a.things[kid].before(&last) {
			break
		}
		a.things[i] = a.things[kid]
		i = kid
	}
	a.things[i] = last
	return first, true
}
