package child

import (
	"math/bits"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// launchPad is a few low descriptors of ours that are kept for births. What a
// child needs from above the mark is duplicated onto a slot until the child has a
// table of its own, so that it can give up everything above the mark unseen.
//
// An empty slot holds /dev/null: a number that is not in use would be given to
// whoever opens something next.
type launchPad struct {
	once sync.Once
	err  error
	null int
	// mark is above all slots.
	mark  int
	slots [slotCount]int
	free  uint32
	// highest is the highest descriptor that a Spec has named so far.
	highest int
}

// slotCount is how many descriptors above the mark all births together may
// have borrowed; a birth that finds too few slots copies the whole table. More
// slots cost every birth, which copies and closes them.
const slotCount = 24

// tableSmall is up to which descriptor copying the whole table costs less than
// lending, and lets the caller close at once what it has passed.
var tableSmall = 256 // tests change it

var pad launchPad

// Reserve keeps a few low descriptors for births. The daemon calls it first
// thing, because they are the lower, and births the cheaper, the fewer
// descriptors are open. The first birth calls it otherwise.
func Reserve() error {
	pad.once.Do(func() {
		probe()
		pad.reserve()
	})
	return pad.err
}

func (p *launchPad) reserve() {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		p.err = errorAt(step{verb: "open", object: "/dev/null"}, err)
		return
	}
	p.null = null
	p.mark = null + 1
	for i := range p.slots {
		fd, err := unix.FcntlInt(uintptr(null), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			// Births work without a pad, if slowly; what is reserved stays so.
			return
		}
		p.slots[i] = fd
		p.mark = max(p.mark, fd+1)
		p.free |= 1 << i
	}
}

// loan is what one birth has borrowed from the pad.
type loan struct {
	taken uint32
	// from[i] is on slot i, for the slots taken.
	from [slotCount]int
}

// pays tells whether the pad is worth its calls: only where our table is large,
// which the descriptors passed tell well enough, as new ones are the highest.
func (p *launchPad) pays(files []int) bool {
	for _, fd := range files {
		p.highest = max(p.highest, fd)
	}
	return p.highest >= tableSmall
}

// lend puts the files above the mark on the pad and writes to source where the
// child finds each file. It returns false, with nothing borrowed, if there are
// too few slots.
func (p *launchPad) lend(l *loan, files, source []int) (bool, error) {
	copy(source, files)
	for i, fd := range files {
		if fd < p.mark || slices.Contains(files[:i], fd) {
			continue
		}
		if p.free == 0 {
			p.free |= l.taken
			l.taken = 0
			return false, nil
		}
		slot := bits.TrailingZeros32(p.free)
		p.free &^= 1 << slot
		l.taken |= 1 << slot
		l.from[slot] = fd
	}
	for rest := l.taken; rest != 0; rest &= rest - 1 {
		slot := bits.TrailingZeros32(rest)
		fd := l.from[slot]
		if err := dup3(fd, p.slots[slot]); err != nil {
			p.giveBack(l)
			return false, errorAt(step{verb: "pass descriptor", number: fd}, err)
		}
		for i := range source {
			if files[i] == fd {
				source[i] = p.slots[slot]
			}
		}
	}
	return true, nil
}

// giveBack empties the slots, so that they keep no socket alive.
func (p *launchPad) giveBack(l *loan) {
	if l.taken == 0 {
		return
	}
	for rest := l.taken; rest != 0; rest &= rest - 1 {
		if err := dup3(p.null, p.slots[bits.TrailingZeros32(rest)]); err != nil {
			panic("child: cannot empty the launch pad: " + err.Error())
		}
	}
	p.free |= l.taken
	l.taken = 0
}

// dup3 goes past the scheduler, as all calls of the loop's do that never wait:
// otherwise the first one after a rest wakes the runtime's monitor.
func dup3(from, to int) error {
	for {
		_, _, err := unix.RawSyscall(unix.SYS_DUP3, uintptr(from), uintptr(to), unix.O_CLOEXEC)
		if err == 0 {
			return nil
		}
		if err != unix.EINTR && err != unix.EBUSY {
			return err
		}
	}
}
