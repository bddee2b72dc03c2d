package listen

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/plan"
)

func newSurvey(t testing.TB) *Survey {
	t.Helper()
	s, err := NewSurvey()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// queuesOf is the questions about sockets.
func queuesOf(sockets ...*Socket) (queues []Queue) {
	for _, s := range sockets {
		if q, ok := QueueOf(s); ok {
			queues = append(queues, q)
		}
	}
	return queues
}

// visit connects a client to a unix socket and leaves it there.
func visit(t *testing.T, s *Socket) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: s.Endpoint.Path}); err != nil {
		t.Fatal(err)
	}
}

// accept takes the client at the head of a queue.
func accept(t *testing.T, s *Socket) {
	t.Helper()
	fd, _, err := unix.Accept(s.FD)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
}

// passed waits until a time has passed of which the kernel keeps count.
func passed(t *testing.T, since time.Time, span time.Duration) {
	t.Helper()
	timer := time.NewTimer(time.Until(since.Add(span)))
	<-timer.C
}

// surveyed are sockets of every kind that has a queue of clients.
func surveyed(t *testing.T) []*Socket {
	dir := t.TempDir()
	var all []*Socket
	for _, e := range []plan.Endpoint{
		tcpEndpoint("127.0.0.1", freePort(t)),
		tcpEndpoint("::1", freePort(t)),
		tcpEndpoint("", freePort(t)),
		unixEndpoint(filepath.Join(dir, "s")),
		unixEndpoint("@brood-survey" + strings.ReplaceAll(dir, "/", "-")),
	} {
		all = append(all, mustOpen(t, e))
	}
	return all
}

// The survey agrees with what each socket says of itself.
func TestSurveyCounts(t *testing.T) {
	all, s := surveyed(t), newSurvey(t)
	for clients := range 4 {
		queues := queuesOf(all...)
		if err := s.Look(queues); err != nil {
			t.Fatal(err)
		}
		for i, q := range queues {
			if n := waiting(t, all[i]); q.Waiting != n || n != clients || q.Max != 10 {
				t.Errorf("%s: %d of %d wait; it says %d; there are %d", Describe(all[i].Endpoint), q.Waiting, q.Max, n, clients)
			}
			answers(t, all[i].Endpoint)
		}
	}
}

// Who asks about one is told the same, and that nobody waits at one that is gone.
func TestSurveyOfOne(t *testing.T) {
	all, s := surveyed(t), newSurvey(t)
	for clients, sock := range all {
		for range clients {
			answers(t, sock.Endpoint)
		}
	}
	for clients, sock := range all {
		queues := queuesOf(sock)
		if err := s.Look(queues); err != nil || queues[0].Waiting != clients || queues[0].Max != 10 {
			t.Errorf("%s: %+v, %v; there are %d", Describe(sock.Endpoint), queues[0], err, clients)
		}
		queues = queuesOf(sock)
		sock.Close()
		if err := s.Look(queues); queues[0].Waiting != 0 {
			t.Errorf("%s, closed: %+v, %v", Describe(sock.Endpoint), queues[0], err)
		}
	}
}

// The kernel cuts a backlog, and is asked how far.
func TestSurveyBacklogIsCut(t *testing.T) {
	e := unixEndpoint(filepath.Join(t.TempDir(), "s"))
	e.Backlog = 1 << 30
	queues := queuesOf(mustOpen(t, e))
	if err := newSurvey(t).Look(queues); err != nil {
		t.Fatal(err)
	}
	if m := queues[0].Max; m < 1 || m >= 1<<30 {
		t.Errorf("%d may wait", m)
	}
}

// Only the age of a connection that waits counts, and it goes with it.
func TestSurveyAgeTCP(t *testing.T) {
	s := newSurvey(t)
	for _, sock := range surveyed(t)[:3] {
		name := Describe(sock.Endpoint)
		began := time.Now() // before it comes: a machine that is slow makes it look older, never younger
		answers(t, sock.Endpoint)
		passed(t, time.Now(), 60*time.Millisecond)
		queues := queuesOf(sock)
		if err := s.Look(queues); err != nil {
			t.Fatal(err)
		}
		if age := queues[0].Age; age < 40*time.Millisecond || age > time.Since(began)+20*time.Millisecond {
			t.Errorf("%s: age %v after %v", name, age, time.Since(began))
		}
		second := time.Now()
		answers(t, sock.Endpoint)
		accept(t, sock)
		queues = queuesOf(sock)
		if err := s.Look(queues); err != nil {
			t.Fatal(err)
		}
		if q := queues[0]; q.Waiting != 1 || q.Age > time.Since(second)+20*time.Millisecond {
			t.Errorf("%s: %d wait, for %v, after the first was taken", name, q.Waiting, q.Age)
		}
	}
}

// A client at a unix socket has been waiting since it was first seen, wherever in
// the queue that was.
func TestSurveyAgeUnix(t *testing.T) {
	s, sock := newSurvey(t), mustOpen(t, unixEndpoint(filepath.Join(t.TempDir(), "s")))
	look := func() Queue {
		queues := queuesOf(sock)
		if err := s.Look(queues); err != nil {
			t.Fatal(err)
		}
		return queues[0]
	}
	visit(t, sock)
	visit(t, sock)
	first := time.Now()
	if q := look(); q.Age != 0 || q.Waiting != 2 {
		t.Errorf("%+v at the first look", q)
	}
	passed(t, time.Now(), 30*time.Millisecond)
	visit(t, sock)
	accept(t, sock)
	second := time.Now()
	if q := look(); q.Age < 30*time.Millisecond || q.Age > time.Since(first)+time.Millisecond*20 {
		t.Errorf("%+v: the second client was seen %v ago", q, time.Since(first))
	}
	accept(t, sock)
	if q := look(); q.Waiting != 1 || q.Age > time.Since(second)+time.Millisecond*20 {
		t.Errorf("%+v: the third client was seen %v ago", q, time.Since(second))
	}
	accept(t, sock)
	if q := look(); q.Waiting != 0 || q.Age != 0 {
		t.Errorf("%+v of an empty queue", q)
	}
}

// Who was taken is known, also when as many wait as before, and when a Look at
// another socket came between.
func TestSurveyTaken(t *testing.T) {
	s, all := newSurvey(t), surveyed(t)
	look := func(sock *Socket) Queue {
		queues := queuesOf(sock)
		if err := s.Look(queues); err != nil {
			t.Fatal(err)
		}
		return queues[0]
	}
	for i, sock := range all {
		come := func() {
			if sock.Endpoint.Network == plan.NetTCP {
				answers(t, sock.Endpoint)
				return
			}
			visit(t, sock)
		}
		come()
		come()
		for step, taken := range []int{0, 0, 1, 2, 0} {
			for range taken {
				accept(t, sock)
				come()
			}
			if q := look(sock); q.Waiting != 2 || q.Taken != taken {
				t.Errorf("%s, step %d: %+v, want %d taken", Describe(sock.Endpoint), step, q, taken)
			}
			look(all[(i+1)%len(all)])
		}
	}
}

// Ports may be many: the kernel takes the whole program.
func TestSurveyManyPorts(t *testing.T) {
	s := newSurvey(t)
	var all []*Socket
	for range 40 {
		sock := mustOpen(t, tcpEndpoint("127.0.0.1", freePort(t)))
		answers(t, sock.Endpoint)
		all = append(all, sock)
	}
	passed(t, time.Now(), 20*time.Millisecond)
	queues := queuesOf(all...)
	if err := s.Look(queues); err != nil {
		t.Fatal(err)
	}
	for i, q := range queues {
		if q.Waiting != 1 || q.Age == 0 {
			t.Errorf("port %d of 40: %+v", i, q)
		}
	}
}

func TestSurveyClosed(t *testing.T) {
	s := newSurvey(t)
	s.Close()
	if s.Look(nil) == nil {
		t.Error("a closed survey looks")
	}
}

// FuzzSurvey: whatever the kernel says, reading it stays within bounds.
func FuzzSurvey(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, answer []byte) {
		_, _ = eachAnswer(answer, 0, func(m []byte) {
			_, _, _ = lengths(m)
			if len(m) >= inetDiagMsgLen {
				_ = attribute(m[inetDiagMsgLen:], inetDiagInfo)
				_ = listenerOf(m, []*Queue{{}})
			}
			_ = waitersOf(attribute(m, unixDiagIcons), nil, time.Time{})
		})
	})
}

// BenchmarkSurvey counts the queues of one socket, or of all, where there are
// thousands.
func BenchmarkSurvey(b *testing.B) {
	const count = 5000
	dir := b.TempDir()
	var all []*Socket
	for i := range count {
		sock, err := Open(unixEndpoint(filepath.Join(dir, fmt.Sprint(i))))
		if err != nil {
			b.Fatal(err)
		}
		defer sock.Close()
		all = append(all, sock)
	}
	s := newSurvey(b)
	for _, of := range []int{1, 10, count} {
		b.Run(fmt.Sprint(of), func(b *testing.B) {
			queues := queuesOf(all[:of]...)
			for b.Loop() {
				if err := s.Look(queues); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
