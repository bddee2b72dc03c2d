package control

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
)

// TestStalledReaders: who does not read is dropped after its time, meanwhile one
// value waits for it and no more, and others are served as ever.
func TestStalledReaders(t *testing.T) {
	const readers = 10
	var sent atomic.Int64
	ended := make(chan error, readers)
	value := strings.Repeat("x", 100<<10)
	h := &handler{do: map[Verb]answering{VerbEvents: func(ctx context.Context, _ *Request, send func(any) error) (any, error) {
		for {
			if err := send(value); err != nil {
				ended <- err
				return nil, err
			}
			sent.Add(1)
		}
	}}}
	path := serve(t, Options{}, h, func(s *Server) { s.times.answer = 3 * time.Second })
	stalled := make([]*raw, readers)
	for i := range stalled {
		stalled[i] = dialRaw(t, path)
		stalled[i].say(`{"v":1,"do":"events","follow":true}` + "\n")
	}
	others := client(t, path)
	beside := 0
	for start := time.Now(); len(ended) == 0; beside++ {
		if time.Since(start) > await.Patience {
			t.Fatal("who does not read is waited for for ever")
		}
		if err := others.Do(within(t, await.Patience), Request{Do: VerbPicture}, nil); err != nil {
			t.Fatal(err)
		}
	}
	// The last one may have been answered after the first of those was dropped.
	if beside < 2 {
		t.Errorf("another client had %d answers beside those who do not read", beside)
	}
	for range readers {
		if err := <-ended; !os.IsTimeout(err) {
			t.Errorf("dropped because of %v", err)
		}
	}
	// What a socket holds is for the kernel to say; it is far from ten values.
	if n := sent.Load(); n > 10*readers {
		t.Errorf("%d values were taken for %d readers who read nothing", n, readers)
	}
	// The line is cut off, and that is how the reader knows.
	if line, err := stalled[0].reader.ReadString('\n'); err != nil {
		t.Errorf("the first value: %.50q, %v", line, err)
	}
	for {
		if _, err := stalled[0].reader.ReadString('\n'); err != nil {
			if os.IsTimeout(err) {
				t.Error("not hung up")
			}
			break
		}
	}
}

// TestCloseDoesNotWaitForReaders: a reader that has stalled does not keep a
// daemon from ending.
func TestCloseDoesNotWaitForReaders(t *testing.T) {
	value := strings.Repeat("x", 10<<20)
	begun := make(chan struct{})
	h := &handler{do: map[Verb]answering{VerbPicture: func(context.Context, *Request, func(any) error) (any, error) {
		close(begun)
		return value, nil
	}}}
	s := start(t, openDirectory(t)+"/control", Options{}, h, func(s *Server) {
		s.times.farewell = 100 * time.Millisecond
		s.times.answer = time.Hour
	})
	stalled := dialRaw(t, s.path)
	stalled.say(`{"v":1,"do":"picture"}` + "\n")
	<-begun
	began := time.Now()
	s.Close()
	if took := time.Since(began); took > await.Patience/2 {
		t.Errorf("Close took %s", took)
	}
	eventually(t, "the reader is given up", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.conns) == 0
	})
}

// TestLargeAnswer: a picture of 5,000 services comes through whole.
func TestLargeAnswer(t *testing.T) {
	value := strings.Repeat("ä<&>", 1<<20)
	path := serve(t, Options{}, &handler{do: map[Verb]answering{VerbPicture: func(context.Context, *Request, func(any) error) (any, error) {
		return value, nil
	}}})
	var got string
	if err := client(t, path).Do(within(t, await.Patience), Request{Do: VerbPicture}, &got); err != nil || got != value {
		t.Errorf("%d bytes of %d, %v", len(got), len(value), err)
	}
}
