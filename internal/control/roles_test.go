package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brood-project/brood/internal/await"
	"github.com/brood-project/brood/internal/scoreboard"
)

const nobody = 65534

// user is who a test's child becomes. Groups are behind the first one.
type user struct{ uid, gid, group int }

func init() { parts["ask-as"] = askAs }

// askAs becomes another user, sends each line of its standard input, over a new
// connection if told so, and prints the answer. It keeps all connections until
// its standard input ends.
func askAs(args []string) int {
	if err := become(args[1:4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var conn net.Conn
	var answers *bufio.Reader
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if conn == nil || args[4] == "new" {
			var err error
			if conn, err = net.Dial("unix", args[0]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			answers = bufio.NewReader(conn)
		}
		// One that is not let in may already be closed; then it says why.
		_, _ = fmt.Fprintln(conn, lines.Text())
		answer, err := answers.ReadString('\n')
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Print(answer)
	}
	return 0
}

// become changes this process's user and groups.
func become(args []string) error {
	var numbers [3]int
	for i, arg := range args {
		var err error
		if numbers[i], err = strconv.Atoi(arg); err != nil {
			return err
		}
	}
	var groups []int
	if numbers[2] != 0 {
		// Many of them, the one that matters behind all others.
		for n := range 40 {
			groups = append(groups, 20000+n)
		}
		groups = append(groups, numbers[2])
	}
	return errors.Join(syscall.Setgroups(groups), syscall.Setgid(numbers[1]), syscall.Setuid(numbers[0]))
}

// asking is a child that asks as another user.
type asking struct {
	t     *testing.T
	lines *bufio.Reader
	pid   int
	// leave ends it.
	leave func()
}

// as starts a child that asks as another user, over one connection or several.
func as(t *testing.T, who user, path, connections string, lines ...string) *asking {
	t.Helper()
	cmd, stdin, answers := play(t, "ask-as", path, fmt.Sprint(who.uid), fmt.Sprint(who.gid), fmt.Sprint(who.group), connections)
	left := false
	a := &asking{t: t, lines: answers, pid: cmd.Process.Pid}
	a.leave = func() {
		if !left {
			left = true
			stdin.Close()
			cmd.Wait()
		}
	}
	t.Cleanup(a.leave)
	if _, err := io.WriteString(stdin, strings.Join(lines, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
	return a
}

// answer is the answer to the next line.
func (a *asking) answer() (r Response) {
	a.t.Helper()
	line, err := a.lines.ReadString('\n')
	if err != nil {
		a.t.Fatalf("no answer: %v", err)
	}
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		a.t.Fatal(err)
	}
	return r
}

// ask sends one line as another user.
func ask(t *testing.T, who user, path, line string) Response {
	t.Helper()
	a := as(t, who, path, "one", line)
	defer a.leave()
	return a.answer()
}

// TestWhoMayWhat asks everything as everybody, on real sockets from real
// processes of these users.
func TestWhoMayWhat(t *testing.T) {
	needsRoot(t)
	path := serve(t, Options{OperateGroups: []uint32{4711}}, &handler{do: map[Verb]answering{
		VerbEvents: func(context.Context, *Request, func(any) error) (any, error) { return nil, nil }, // in one line
	}})
	reads := []string{"hello", "picture web", "recorder web", "events web", "picture", "events"}
	operates := append(slices.Clone(reads), "plan web", "plan", "reload web", "reload", "restart web", "restart", "scale web",
		"pause web", "pause", "resume web", "resume", "wake web", "wake", "reset web", "reset", "drain web")
	admins := append(slices.Clone(operates), "drain", "stop")
	for _, test := range []struct {
		role string
		who  user
		may  []string
	}{
		{"read", user{nobody, nobody, 0}, reads},
		{"read", user{nobody, nobody, 4712}, reads},
		{"operate", user{nobody, 4711, 0}, operates},
		{"operate", user{nobody, nobody, 4711}, operates},
		{"admin", user{0, nobody, 0}, admins},
	} {
		var lines []string
		for _, what := range admins {
			lines = append(lines, lineFor(what))
		}
		asking := as(t, test.who, path, "one", lines...)
		for _, what := range admins {
			r := asking.answer()
			refused := r.Error != nil && r.Error.Code == NotAllowed
			if refused == slices.Contains(test.may, what) || r.Error != nil && r.Error.Code == BadRequest {
				t.Errorf("%+v, %s: %+v, %v", test.who, what, r, r.Error)
			}
			var hello Hello
			if what == "hello" && (json.Unmarshal(r.Data, &hello) != nil || hello.Role != test.role) {
				t.Errorf("%+v has the role %q", test.who, hello.Role)
			}
		}
	}
}

// lineFor makes a line of a request and a service.
func lineFor(what string) string {
	verb, service, _ := strings.Cut(what, " ")
	line := fmt.Sprintf(`{"v":1,"do":%q`, verb)
	if service != "" {
		line += fmt.Sprintf(`,"service":%q`, service)
	}
	if verb == "scale" {
		line += `,"max":1`
	}
	return line + "}"
}

// TestPeer: the handler is told who asks, as the kernel knows it.
func TestPeer(t *testing.T) {
	needsRoot(t)
	var who Peer
	path := serve(t, Options{OperateGroups: []uint32{4711}}, &handler{saw: func(p Peer) { who = p }})
	a := as(t, user{nobody, 4711, 0}, path, "one", `{"v":1,"do":"picture"}`)
	a.answer()
	if want := (Peer{PID: int32(a.pid), UID: nobody, GID: 4711, Role: Operate}); who != want {
		t.Errorf("%+v, wanted %+v", who, want)
	}
}

func TestWordsOfRefusal(t *testing.T) {
	for _, test := range []struct {
		role Role
		line string
		text string
	}{
		{Read, `{"v":1,"do":"reload"}`, "reload needs the role operate, and uid 7 has the role read; be root, or a member of a group of operators"},
		{Operate, `{"v":1,"do":"stop"}`, "stop needs the role admin, and uid 7 has the role operate; be root"},
		{Operate, `{"v":1,"do":"drain"}`, "drain of all services needs the role admin, and uid 7 has the role operate; be root"},
	} {
		p := parse([]byte(test.line))
		if wrong := p.rule.allowed(Peer{UID: 7, Role: test.role}, &p.req); wrong == nil || wrong.Text != test.text {
			t.Errorf("%s: %v", test.line, wrong)
		}
	}
}

// TestOthers: what everybody else may is for the configuration to say.
func TestOthers(t *testing.T) {
	needsRoot(t)
	for role, code := range map[Role]Code{None: NotAllowed, Operate: ""} {
		path := serve(t, Options{Others: new(role)}, &handler{})
		r := ask(t, user{nobody, nobody, 0}, path, `{"v":1,"do":"pause"}`)
		if r.OK != (code == "") || r.Error != nil && (r.Error.Code != code || r.Error.Text != "uid 65534 may not ask this brood anything") {
			t.Errorf("others have the role %s: %+v, %v", role, r, r.Error)
		}
		if err := client(t, path).Do(within(t, await.Patience), Request{Do: VerbStop}, nil); err != nil {
			t.Errorf("root, when others have the role %s: %v", role, err)
		}
	}
}

// TestSecrets: what programs wrote and commands hold does not reach readers,
// not even through a handler that does not think of it.
func TestSecrets(t *testing.T) {
	needsRoot(t)
	path := serve(t, Options{OperateGroups: []uint32{4711}}, &handler{})
	line := `{"v":1,"do":"picture","workers":true}`
	r := ask(t, user{nobody, nobody, 0}, path, line)
	var seen scoreboard.Picture
	if err := json.Unmarshal(r.Data, &seen); err != nil || strings.Contains(string(r.Data), secret) {
		t.Errorf("a reader sees %s, %v", r.Data, err)
	}
	if diff := cmp.Diff(Redact(testPicture()), &seen); diff != "" {
		t.Errorf("-redacted +seen:\n%s", diff)
	}
	if s := seen.Services[0]; s.Command[0] != "/usr/bin/web" || len(s.Workers) != 2 || s.Failure.Exit != 1 || s.Workers[1].Status != "" {
		t.Errorf("more than the secrets is gone: %+v", s)
	}
	if r := ask(t, user{nobody, 4711, 0}, path, line); strings.Count(string(r.Data), secret) != 6 {
		t.Errorf("an operator does not see all: %s", r.Data)
	}
}

func TestRedactCopies(t *testing.T) {
	p := testPicture()
	Redact(p)
	if diff := cmp.Diff(testPicture(), p); diff != "" {
		t.Errorf("the original is changed:\n%s", diff)
	}
	if diff := cmp.Diff(&scoreboard.Picture{}, Redact(&scoreboard.Picture{})); diff != "" {
		t.Errorf("an empty one is changed:\n%s", diff)
	}
}

// TestTooMany: an unprivileged user has a share, and root always has a place.
func TestTooMany(t *testing.T) {
	needsRoot(t)
	path := serve(t, Options{}, &handler{})
	hello := `{"v":1,"do":"hello"}`
	greedy := as(t, user{nobody, nobody, 0}, path, "new", slices.Repeat([]string{hello}, 12)...)
	for n := range 12 {
		r := greedy.answer()
		if n < 8 && !r.OK || n >= 8 && (r.Error == nil || r.Error.Code != TooMany || r.Error.Text != "uid 65534 has 8 connections already; close one") {
			t.Errorf("connection %d: %+v, %v", n, r, r.Error)
		}
	}
	for uid, places := range map[int]int{nobody - 1: 8, nobody - 2: 4} {
		other := as(t, user{uid, nobody, 0}, path, "new", slices.Repeat([]string{hello}, places)...)
		for range places {
			if r := other.answer(); !r.OK {
				t.Errorf("uid %d: %v", uid, r.Error)
			}
		}
	}
	if r := ask(t, user{nobody - 3, nobody, 0}, path, hello); r.Error == nil || r.Error.Code != TooMany ||
		r.Error.Text != "20 connections are open, and that is all there are for the role read; try again" {
		t.Errorf("the readers' places are all taken: %+v, %v", r, r.Error)
	}
	for range 12 {
		if err := client(t, path).Do(within(t, await.Patience), Request{Do: VerbHello}, nil); err != nil {
			t.Fatalf("root: %v", err)
		}
	}
	if err := client(t, path).Do(within(t, await.Patience), Request{Do: VerbHello}, nil); codeOf(err) != TooMany {
		t.Errorf("all places are taken: %v", err)
	}
	greedy.leave()
	eventually(t, "root has a place again", func() bool {
		c, err := Dial(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.Do(within(t, await.Patience), Request{Do: VerbHello}, nil) == nil
	})
}
