package control

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
)

func contains(err error, words string) bool {
	return err != nil && strings.Contains(err.Error(), words)
}

// follow reads events, and calls after for each.
func (c *Client) follow(ctx context.Context, after func()) error {
	_, err := c.Stream(ctx, Request{Do: VerbEvents, Follow: true}, func(json.RawMessage) error {
		after()
		return nil
	})
	return err
}

// TestCannotDial: each way in which nobody is there has its own advice.
func TestCannotDial(t *testing.T) {
	dir := openDirectory(t)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: dir + "/stale"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	datagrams, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/datagrams"})
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	for path, test := range map[string]struct {
		words   string
		running bool
	}{
		"/none":                         {"brood is not running there: there is no such socket; start broodd, or name its socket", false},
		"/stale":                        {"brood is not running there: nobody listens at the socket; start broodd", false},
		"/datagrams":                    {"that is not brood's socket; name the right one", true},
		"/" + strings.Repeat("x", 1000): {"and that of a socket has 1 to 107", true},
	} {
		_, err := Dial(within(t, await.Patience), dir+path)
		if !contains(err, "cannot reach brood at "+dir+path+": ") || !contains(err, test.words) || errors.Is(err, ErrNotRunning) == test.running {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestFullQueue: a server that does not accept is not waited for beyond the
// deadline, and one that begins to is reached.
func TestFullQueue(t *testing.T) {
	path := openDirectory(t) + "/control"
	fd, _, err := listenAt(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	client(t, path) // takes the only place
	if _, err := Dial(within(t, 50*time.Millisecond), path); !errors.Is(err, context.DeadlineExceeded) || !contains(err, "too many wait for it, or it hangs") {
		t.Errorf("nobody accepts: %v", err)
	}
	dialed := make(chan error, 1)
	go func() {
		c, err := Dial(within(t, await.Patience), path)
		if err == nil {
			c.Close()
		}
		dialed <- err
	}()
	eventually(t, "accepted", func() bool {
		conn, _, err := unix.Accept(fd)
		if err == nil {
			unix.Close(conn)
		}
		return len(dialed) > 0
	})
	if err := <-dialed; err != nil {
		t.Error(err)
	}
}

// TestStrangeServers: whatever listens there, the client says what is wrong with
// it, and waits no longer than it may.
func TestStrangeServers(t *testing.T) {
	for _, test := range []struct{ name, answer, words string }{
		{"silent", "", "brood hung up before it answered: unexpected EOF; it is ending, or this client was too slow; try again"},
		{"half", `{"v":1,"id":1,"ok":tr`, "brood hung up in the middle of its answer: unexpected EOF"},
		{"banner", "220 mail.example.com ESMTP\n", "cannot understand the answer: invalid character"},
		{"version", `{"v":2,"id":1,"ok":true}` + "\n", "cannot understand the answer: it is of version 2 for request 1; is it brood that listens at "},
		{"other", `{"v":1,"id":2,"ok":true}` + "\n", "cannot understand the answer: it is of version 1 for request 2"},
		{"data", `{"v":1,"id":1,"ok":true,"data":"seven"}` + "\n", "cannot understand the answer to picture: json: cannot unmarshal string"},
		{"refusal", `{"v":1,"ok":false,"error":{"code":"too-many","text":"try again"}}` + "\n", "try again"},
	} {
		path := openDirectory(t) + "/control"
		listener, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			// It answers before it is asked, as one that refuses everybody does.
			_, _ = conn.Write([]byte(test.answer))
			if test.name != "refusal" {
				_, _ = conn.Read(make([]byte, 1000))
			}
		}()
		var into struct{}
		err = client(t, path).Do(within(t, await.Patience), Request{Do: VerbPicture}, &into)
		listener.Close()
		if !contains(err, test.words) {
			t.Errorf("%s: %v", test.name, err)
		}
		if (test.name == "refusal") != (codeOf(err) == TooMany) {
			t.Errorf("%s: the code is %q", test.name, codeOf(err))
		}
	}
}

// TestCancel: a cancelled wait ends at once, and the server's handler with it.
func TestCancel(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	path := serve(t, Options{}, &handler{do: map[Verb]answering{VerbReload: func(ctx context.Context, _ *Request, _ func(any) error) (any, error) {
		close(begun)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}}})
	ctx, cancel := context.WithCancel(within(t, await.Patience))
	c := client(t, path)
	go func() {
		<-begun
		cancel()
	}()
	if err := c.Do(ctx, Request{Do: VerbReload}, nil); !errors.Is(err, context.Canceled) || !contains(err, "cannot wait for brood's answer any longer") {
		t.Errorf("cancelled: %v", err)
	}
	c.Close()
	select {
	case <-ended:
	case <-time.After(await.Patience):
		t.Fatal("the handler goes on")
	}
}

// TestSilence: a daemon that does not answer is named with its pid.
func TestSilence(t *testing.T) {
	path := serve(t, Options{}, &handler{do: map[Verb]answering{VerbReload: func(ctx context.Context, _ *Request, _ func(any) error) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}})
	c := client(t, path)
	err := c.Do(within(t, 50*time.Millisecond), Request{Do: VerbReload}, nil)
	if !errors.Is(err, context.DeadlineExceeded) || !contains(err, "it is busy or hangs: try again with more time") {
		t.Errorf("%v", err)
	}
}
