package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/scoreboard"
)

func TestAnswers(t *testing.T) {
	path := serve(t, Options{Brood: "1.2.3"}, &handler{})
	c, ctx := client(t, path), within(t, await.Patience)

	var hello Hello
	if err := c.Do(ctx, Request{Do: VerbHello}, &hello); err != nil {
		t.Fatal(err)
	}
	if hello.Brood != "1.2.3" || hello.PID != int32(os.Getpid()) || hello.Role != "admin" || len(hello.Requests) != len(rules) {
		t.Errorf("hello: %+v", hello)
	}
	var picture scoreboard.Picture
	if err := c.Do(ctx, Request{Do: VerbPicture, Workers: true}, &picture); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(testPicture(), &picture); diff != "" {
		t.Errorf("the picture has changed on its way (-sent +got):\n%s", diff)
	}
	var done Done
	if err := c.Do(ctx, Request{Do: VerbPause, Service: "wäb"}, &done); err != nil || done.Text != "pause of wäb" {
		t.Errorf("pause: %+v, %v", done, err)
	}
}

func TestErrors(t *testing.T) {
	c, ctx := client(t, serve(t, Options{}, &handler{})), within(t, await.Patience)
	for _, test := range []struct {
		req  Request
		code Code
		text string
	}{
		{Request{Do: VerbReload}, Refused, "the file has a mistake; nothing was changed"},
		{Request{Do: VerbRestart}, Failed, "cannot restart: just so"},
		{Request{Do: VerbReset}, Failed, "brood has a defect, please report it: reset: on purpose"},
		{Request{Do: VerbPlan}, Failed, "brood has a defect, please report it: json: unsupported type: func()"},
		{Request{Do: "dance"}, UnknownRequest, `unknown request "dance"; there are hello, `},
	} {
		err := c.Do(ctx, test.req, nil)
		if codeOf(err) != test.code || !strings.HasPrefix(err.Error(), test.text) {
			t.Errorf("%s: %s: %v", test.req.Do, codeOf(err), err)
		}
		if wire, ok := err.(*Error); ok && test.code == Refused && (len(wire.Diagnostics) != 1 || wire.Diagnostics[0].Line != 3) {
			t.Errorf("the diagnostics are lost: %+v", wire)
		}
	}
	if err := c.Do(ctx, Request{Do: VerbHello}, nil); err != nil {
		t.Errorf("after refusals: %v", err)
	}
}

func TestStream(t *testing.T) {
	c, ctx := client(t, serve(t, Options{}, &handler{})), within(t, await.Patience)
	var seen []uint64
	each := func(data json.RawMessage) error {
		var e scoreboard.Event
		err := json.Unmarshal(data, &e)
		seen = append(seen, e.Seq)
		if !strings.Contains(string(data), "a <worker> & more") {
			t.Errorf("not for people: %s", data)
		}
		return err
	}
	last, err := c.Stream(ctx, Request{Do: VerbEvents, Since: 1}, each)
	if err != nil || last != nil || !cmp.Equal(seen, []uint64{2, 3}) {
		t.Errorf("%v, %s, %v", seen, last, err)
	}
	if _, err := c.Stream(ctx, Request{Do: VerbEvents}, func(json.RawMessage) error { return io.ErrNoProgress }); err != io.ErrNoProgress {
		t.Errorf("the reader's error: %v", err)
	}
	if err := c.Do(ctx, Request{Do: VerbHello}, nil); err == nil || !strings.Contains(err.Error(), "not read to its end") {
		t.Errorf("a client in the middle of an answer: %v", err)
	}
}

// TestHangUp: whoever follows and hangs up ends the handler, and one that has
// only ended what it writes gets its answer.
func TestHangUp(t *testing.T) {
	ended := make(chan error, 1)
	h := &handler{do: map[Verb]answering{
		VerbEvents: func(ctx context.Context, _ *Request, send func(any) error) (any, error) {
			err := send(1)
			<-ctx.Done()
			ended <- err
			return nil, ctx.Err()
		},
		VerbReload: func(ctx context.Context, _ *Request, _ func(any) error) (any, error) {
			select { // a reload takes its time
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(300 * time.Millisecond):
				return nil, nil
			}
		},
	}}
	path := serve(t, Options{}, h)
	conn := dialRaw(t, path)
	// The second request waits while the first is answered, and does not hide
	// that the client goes.
	conn.say(`{"v":1,"do":"events","follow":true}` + "\n" + `{"v":1,"do":"hello"}` + "\n")
	conn.hear(`"more":true,"data":1`)
	conn.Close()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(await.Patience):
		t.Fatal("the handler does not know that its client has gone")
	}

	half := dialRaw(t, path)
	half.say(`{"v":1,"id":1,"do":"reload"}` + "\n" + `{"v":1,"id":2,"do":"hello"}` + "\n")
	half.endWriting()
	half.hear(`{"v":1,"id":1,"ok":true}`)
	half.hear(`{"v":1,"id":2,"ok":true,`)
	half.hearEnd()
}

func TestCloseEndsAll(t *testing.T) {
	path := openDirectory(t) + "/control"
	s := start(t, path, Options{}, &handler{do: map[Verb]answering{VerbReload: func(ctx context.Context, _ *Request, send func(any) error) (any, error) {
		err := send(1)
		<-ctx.Done()
		return nil, errors.Join(err, ctx.Err())
	}}}, func(s *Server) { s.times.farewell = await.Patience })
	follower, idle, waiter := dialRaw(t, path), dialRaw(t, path), dialRaw(t, path)
	waiter.say(`{"v":1,"do":"reload"}` + "\n")
	waiter.hear(`"data":1`)
	idle.say(`{"v":1,"do":"hello"}` + "\n")
	idle.hear("admin")
	follower.say(`{"v":1,"do":"events","follow":true,"since":2}` + "\n")
	follower.hear(`"more":true`)
	began := time.Now()
	s.Close()
	if took := time.Since(began); took > await.Patience/2 {
		t.Errorf("Close took %s", took)
	}
	follower.hear(`{"v":1,"ok":true}`)
	follower.hearEnd()
	idle.hearEnd()
	waiter.hear(`{"v":1,"ok":false,"error":{"code":"unavailable","text":"brood is ending"}}`)
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket's file is left: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

// raw is a client that says anything.
type raw struct {
	net.Conn
	t      *testing.T
	reader *bufio.Reader
}

func dialRaw(t *testing.T, path string) *raw {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(await.Patience))
	return &raw{conn, t, bufio.NewReader(conn)}
}

func (r *raw) say(text string) {
	r.t.Helper()
	if _, err := io.WriteString(r, text); err != nil {
		r.t.Fatalf("cannot write %.80q: %v", text, err)
	}
}

// endWriting says that no more will be said.
func (r *raw) endWriting() {
	r.t.Helper()
	if err := r.Conn.(*net.UnixConn).CloseWrite(); err != nil {
		r.t.Fatal(err)
	}
}

// hear reads a line with the words in it.
func (r *raw) hear(words string) string {
	r.t.Helper()
	line, err := r.reader.ReadString('\n')
	if err != nil || !strings.Contains(line, words) {
		r.t.Fatalf("heard %q, %v; wanted %q", line, err, words)
	}
	return line
}

// hearEnd reads the end. A server that hangs up on unread words ends with a reset.
func (r *raw) hearEnd() {
	r.t.Helper()
	line, err := r.reader.ReadString('\n')
	if line != "" || err == nil || os.IsTimeout(err) {
		r.t.Fatalf("heard %q, %v; wanted the end", line, err)
	}
}
