package control

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/brood-project/brood/internal/await"
)

// TestRefusals: what is wrong is said so that it can be mended.
func TestRefusals(t *testing.T) {
	for _, test := range []struct{ line, text string }{
		{``, `a request is one JSON object in one line; this begins with ""`},
		{`GET / HTTP/1.1`, `a request is one JSON object in one line; this begins with "GET / HTTP/1.1"`},
		{`[]`, `a request is one JSON object in one line; this begins with "[]"`},
		{`{"v":1,"do":"hello"`, `a request is one JSON object in one line; this one does not end as such`},
		{`{"v":1,"do":"hello"} {}`, `a request is one JSON object in one line; this one does not end as such`},
		{`{"v":1 "do":"hello"}`, `the request is not JSON: invalid character '"' after object key:value pair`},
		{`{"v":1,"a":` + strings.Repeat("[", 20000), `the request is not JSON: invalid character '[' exceeded max depth`},
		{"{\"v\":1,\"do\":\"he\x00llo\"}", `the request has a NUL byte in it`},
		{"{\"v\":1,\"do\":\"he\xffllo\"}", `the request is not UTF-8`},
		{`{}`, `the request has no "v"; this brood speaks "v": 1`},
		{`{"v":2,"do":"hello","kind":"new"}`, `the request has "v": "2"; this brood speaks "v": 1`},
		{`{"v":1}`, `the request has no "do"`},
		{`{"v":1,"do":"hello","kind":1}`, `unknown field "kind"; a request has v, id, do, service, workers, memory, follow, since, max, min, spare, deadline, now`},
		{`{"v":1,"DO":"hello"}`, `unknown field "DO"; a request has v,`},
		{`{"v":1,"do":"hello","do":"stop"}`, `the field "do" is there twice`},
		{`{"v":1,"do":["hello"]}`, `the field "do" is no plain value: "[\"hello\"]"`},
		{`{"v":1,"do":"pause","service":null}`, `the field "service" is no plain value: "null"`},
		{`{"v":1,"do":7}`, `the field "do" cannot be "7"; it is a string`},
		{`{"v":1,"do":"hello","id":-1}`, `the field "id" cannot be "-1"; it is a whole number from 0 to 2^64-1`},
		{`{"v":1,"do":"hello","id":1e999}`, `the field "id" cannot be "1e999"; it is a whole number from 0 to 2^64-1`},
		{`{"v":1,"do":"scale","service":"a","max":99999999999999999999}`, `the field "max" cannot be "99999999999999999999"; it is a whole number of at most 63 bits`},
		{`{"v":1,"do":"scale","service":"a","max":1.5}`, `the field "max" cannot be "1.5"; it is a whole number of at most 63 bits`},
		{`{"v":1,"do":"picture","workers":"yes"}`, `the field "workers" cannot be "\"yes\""; it is true or false`},
		{`{"v":1,"do":"scale","service":"a"}`, `scale needs "max", "min" or "spare"`},
		{`{"v":1,"do":"scale","service":"a","spare":-1}`, `there cannot be -1 workers`},
		{`{"v":1,"do":"scale","max":1}`, `scale needs a "service"`},
		{`{"v":1,"do":"drain","deadline":-5}`, `the deadline is 5 ns ago`},
		{`{"v":1,"do":"stop","service":"a"}`, `stop has no field "service"`},
		{`{"v":1,"do":"pause","now":true}`, `pause has no field "now"`},
		{`{"v":1,"do":"pause","service":""}`, `"service" is empty; leave it out for all services`},
		{`{"v":1,"do":"pause","service":"a\u0000b"}`, `"a\x00b" is no name of a service`},
		{`{"v":1,"do":"pause","service":"` + strings.Repeat("a", 256) + `"}`, `"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"... is no name of a service`},
	} {
		p := parse([]byte(test.line))
		if p.wrong == nil || !strings.HasPrefix(p.wrong.Text, test.text) {
			t.Errorf("%.60q: %v, wanted %s", test.line, p.wrong, test.text)
		}
	}
	if p := parse([]byte("{\"v\":1,\"id\":18446744073709551615,\"do\":\"drain\",\"service\":\"a\",\"deadline\":5}\r")); p.wrong != nil || p.req.ID != 1<<64-1 {
		t.Errorf("a good request: %+v", p)
	}
}

// TestTenThousandMalformed: whatever is sent, a clear refusal comes back, and
// the server is alive.
func TestTenThousandMalformed(t *testing.T) {
	h := &handler{}
	path := serve(t, Options{}, h)
	random := rand.New(rand.NewPCG(5, 10000))
	var conn net.Conn
	var reader *bufio.Reader
	for n := range 10000 {
		line, parsed := malformed(random)
		if conn == nil {
			conn = dialRaw(t, path).Conn
			reader = bufio.NewReader(conn)
		}
		lost := refused(t, n, conn, reader, line, parsed.lost)
		if lost {
			conn.Close()
			conn = nil
		}
	}
	if err := client(t, path).Do(within(t, await.Patience), Request{Do: VerbHello}, nil); err != nil {
		t.Fatalf("after all that: %v", err)
	}
}

// refused sends a malformed line and reads its refusal. It tells whether the
// server hung up.
func refused(t *testing.T, n int, conn net.Conn, reader *bufio.Reader, line []byte, strange bool) (lost bool) {
	t.Helper()
	// A server that has read too much already hangs up while this writes.
	_, unsent := conn.Write(append(line, '\n'))
	answer, err := reader.ReadBytes('\n')
	var r Response
	if err != nil || json.Unmarshal(answer, &r) != nil {
		t.Fatalf("%d: %.100q: answered by %q, %v", n, line, answer, err)
	}
	clear := r.V == Version && !r.OK && !r.More && r.Error != nil && r.Error.Text != "" && len(answer) < 1000 &&
		(r.Error.Code == BadRequest || r.Error.Code == UnknownRequest || r.Error.Code == TooLarge)
	if !clear {
		t.Fatalf("%d: %.100q is not clearly refused: %s", n, line, answer)
	}
	long := len(line)+1 > requestMost
	switch {
	case long && r.Error.Code != TooLarge:
		t.Fatalf("%d: %d bytes were refused by %s", n, len(line), answer)
	case unsent != nil && !long:
		t.Fatalf("%d: cannot send: %v", n, unsent)
	}
	if lost = long || strange; lost {
		if rest, err := io.ReadAll(reader); len(rest) > 0 || os.IsTimeout(err) {
			t.Fatalf("%d: %.100q: not hung up: %q, %v", n, line, rest, err)
		}
	}
	return lost
}

// malformed makes a line that is no request, of one of many kinds.
func malformed(random *rand.Rand) ([]byte, *parsed) {
	for {
		line := kinds[random.IntN(len(kinds))](random)
		line = bytes.ReplaceAll(line, []byte("\n"), []byte("?"))
		if p := parse(line); len(line)+1 > requestMost || p.wrong != nil {
			return line, p
		}
	}
}

const goodLine = `{"v":1,"id":77,"do":"scale","service":"web","max":5,"spare":2}`

var kinds = []func(random *rand.Rand) []byte{
	func(r *rand.Rand) []byte { // noise
		b := make([]byte, r.IntN(200))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	},
	func(r *rand.Rand) []byte { return []byte(goodLine[:r.IntN(len(goodLine))]) }, // half a line
	func(r *rand.Rand) []byte { // a byte changed
		b := []byte(goodLine)
		b[r.IntN(len(b))] = byte(r.Uint32())
		return b
	},
	func(r *rand.Rand) []byte { // a piece twice
		i, j := r.IntN(len(goodLine)), r.IntN(len(goodLine))
		return []byte(goodLine[:max(i, j)] + goodLine[min(i, j):])
	},
	func(r *rand.Rand) []byte { // deep
		return []byte(`{"v":1,"do":` + strings.Repeat([]string{"[", `{"a":`}[r.IntN(2)], depth(r)))
	},
	func(r *rand.Rand) []byte { // deep, and whole
		n := depth(r)/2 + 1
		return []byte(`{"v":1,"do":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}")
	},
	func(r *rand.Rand) []byte { // huge numbers
		field := requestFields[r.IntN(len(requestFields))]
		return fmt.Appendf(nil, `{"v":1,"do":"scale","service":"a","%s":%s%s}`, field, strings.Repeat("9", r.IntN(300)+20),
			[]string{"", "e999999", ".5", "E-1"}[r.IntN(4)])
	},
	func(r *rand.Rand) []byte { // longer than a request may be
		if r.IntN(20) > 0 {
			return []byte("{")
		}
		return []byte(`{"v":1,"do":"` + strings.Repeat("a", requestMost+r.IntN(3)*4096-15) + `"}`)
	},
	func(r *rand.Rand) []byte { // of the wrong type
		field := requestFields[r.IntN(len(requestFields))]
		value := []string{`true`, `"x"`, `-7`, `null`, `{}`, `[1]`, `0.1`}[r.IntN(7)]
		return fmt.Appendf(nil, `{"v":1,"do":"drain","%s":%s}`, field, value)
	},
	func(r *rand.Rand) []byte { // an unknown field, or request
		name := make([]rune, r.IntN(30)+1)
		for i := range name {
			name[i] = rune(r.IntN(utf8.MaxRune))
		}
		quoted, _ := json.Marshal(string(name))
		return fmt.Appendf(nil, []string{`{"v":1,"do":"hello",%s:1}`, `{"v":1,"do":%s}`}[r.IntN(2)], quoted)
	},
	func(r *rand.Rand) []byte { // another protocol
		return []byte([]string{"GET / HTTP/1.0", "EHLO x", "\x16\x03\x01\x02\x00\x01", "stop", "\xef\xbb\xbf{}"}[r.IntN(5)])
	},
}

// depth is small, but for one in sixty: the deep ones take their time.
func depth(r *rand.Rand) int {
	if r.IntN(60) > 0 {
		return r.IntN(100)
	}
	return r.IntN(10400)
}

// TestHalfRequests: what ends in the middle is said to have ended, and nothing
// is left waiting for the rest.
func TestHalfRequests(t *testing.T) {
	path := serve(t, Options{}, &handler{})
	for _, half := range []string{`{`, goodLine, goodLine[:20]} {
		conn := dialRaw(t, path)
		conn.say(half)
		conn.endWriting()
		conn.hear("the request ends without a newline")
		conn.hearEnd()
	}
	for range 50 {
		conn := dialRaw(t, path)
		// There may be too many of them for a while, and this one is not let in.
		_, _ = io.WriteString(conn, goodLine[:20])
		conn.Close()
	}
	eventually(t, "there is room again", func() bool {
		c, err := Dial(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		err = c.Do(within(t, await.Patience), Request{Do: VerbHello}, nil)
		if err != nil && codeOf(err) != TooMany {
			t.Fatal(err)
		}
		return err == nil
	})
}

// TestSlowRequests: a request that comes bit by bit is not waited for, however
// often a bit comes.
func TestSlowRequests(t *testing.T) {
	path := serve(t, Options{}, &handler{}, func(s *Server) { s.times.request = 300 * time.Millisecond })
	for _, bit := range []string{" ", strings.Repeat(" ", readerSize/2)} {
		conn := dialRaw(t, path)
		go func() {
			for range 100 {
				if _, err := conn.Write([]byte(bit)); err != nil {
					return
				}
				<-time.After(50 * time.Millisecond) // this is what the client does, and nothing waits for it
			}
		}()
		conn.hear("the request was not complete within 300ms")
		conn.hearEnd()
	}
}

func TestIdle(t *testing.T) {
	path := serve(t, Options{}, &handler{}, func(s *Server) { s.times.idle = 100 * time.Millisecond })
	conn := dialRaw(t, path)
	conn.say(`{"v":1,"do":"hello"}` + "\n")
	conn.hear("admin")
	conn.hearEnd()
}

func FuzzRequest(f *testing.F) {
	for _, r := range rules {
		f.Add(fmt.Appendf(nil, `{"v":1,"id":1,"do":%q,"service":"a"}`, r.do))
	}
	f.Add([]byte(goodLine))
	f.Fuzz(func(t *testing.T, line []byte) {
		p := parse(line)
		if p.wrong != nil {
			if p.wrong.Text == "" || !utf8.ValidString(p.wrong.Text) || len(p.wrong.Text) > 500 {
				t.Fatalf("%q is refused with %q", line, p.wrong.Text)
			}
			return
		}
		// What is taken means the same when a client of ours says it.
		said, err := json.Marshal(p.req)
		if err != nil {
			t.Fatal(err)
		}
		again := parse(said)
		if again.wrong != nil {
			t.Fatalf("%s was taken and is refused as %s: %v", line, said, again.wrong)
		}
		if second, _ := json.Marshal(again.req); !bytes.Equal(second, said) || again.rule != p.rule {
			t.Fatalf("%s became %s and then %s", line, said, second)
		}
	})
}
