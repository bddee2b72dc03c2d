package native

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// roleVariable has this program be a worker, so that a test can say to the
// millisecond how it behaves. In a brood.toml: env = { BROOD_TEST_ROLE = "serve" }
const roleVariable = "BROOD_TEST_ROLE"

// roles are what this program can be.
var roles = map[string]func(args []string){
	"serve": playServe,
	"loud":  playLoud,

	"hostile": playHostile,
}

func play(role string, args []string) {
	f := roles[role]
	if f == nil {
		fmt.Fprintf(os.Stderr, "there is no role %q\n", role)
		os.Exit(2)
	}
	f(args)
}

// playServe serves one client at a time at descriptor 3. A client says how long
// it is to be served, such as "100ms", and is told by whom it was. The arguments:
// how long it takes to start; "tells" to say busy and idle. At a TERM it finishes
// the client that it has.
func playServe(args []string) {
	if len(args) > 0 {
		delay, err := time.ParseDuration(args[0])
		if err != nil {
			panic(err)
		}
		<-time.After(delay) // this is what the test asks for: a slow start
	}
	say := func(string) {}
	if len(args) > 1 && args[1] == "tells" {
		say = notifier()
		say("READY=1\nX_BROOD_STATE=idle")
	}
	l, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		panic(err)
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term
		l.Close()
	}()
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			panic(err)
		}
		say("X_BROOD_STATE=busy")
		serveOne(c)
		say("X_BROOD_STATE=idle")
	}
}

func serveOne(c net.Conn) {
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return
	}
	if d, err := time.ParseDuration(strings.TrimSpace(line)); err == nil {
		<-time.After(d) // the client's work
	}
	fmt.Fprintf(c, "served by %d\n", os.Getpid())
}

// playLoud writes to its standard error what a client asks for, and then serves
// it: "lines N" or "endless N" for so many bytes, "numbers N" for so many lines
// with a number, "close 0" to close it.
func playLoud([]string) {
	l, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		panic(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		var kind string
		var amount int
		if _, err := fmt.Fscan(c, &kind, &amount); err == nil {
			writeLoud(kind, amount)
			fmt.Fprintf(c, "served by %d\n", os.Getpid())
		}
		c.Close()
	}
}

func writeLoud(kind string, amount int) {
	line := strings.Repeat("x", 99) + "\n"
	switch kind {
	case "endless":
		line = strings.Repeat("y", 100)
		fallthrough
	case "lines":
		piece := []byte(strings.Repeat(line, 655)) // a little less than a pipe holds
		for n := 0; n < amount; n += len(piece) {
			_, _ = os.Stderr.Write(piece)
		}
		_, _ = os.Stderr.WriteString("\n")
	case "numbers":
		var all strings.Builder
		for i := range amount {
			fmt.Fprintf(&all, "number %d é\t\"'\n", i+1)
		}
		_, _ = os.Stderr.WriteString(all.String())
	case "close":
		os.Stderr.Close()
		os.Stdout.Close()
	}
}

// notifier speaks sd_notify(3).
func notifier() func(text string) {
	c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		panic(err)
	}
	return func(text string) {
		if _, err := c.Write([]byte(text)); err != nil {
			panic(err)
		}
	}
}

// playHostile does what its first argument says to the daemon, when a client
// asks, and then serves the client.
func playHostile(args []string) {
	l, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		panic(err)
	}
	say := notifier()
	say("READY=1")
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		if err == nil {
			hostilities[args[0]](say, strings.TrimSpace(line))
			fmt.Fprintf(c, "served by %d\n", os.Getpid())
		}
		c.Close()
	}
}

// hostilities are given the notify socket and what the client said.
var hostilities = map[string]func(say func(string), asked string){
	"say":    func(say func(string), asked string) { say(strings.ReplaceAll(asked, "|", "\n")) },
	"flood":  floodNotify,
	"extend": extendForEver,
	"store":  storeDescriptors,
	"linger": storeLingering,
}

// floodNotify sends very many messages, such as they are.
func floodNotify(func(string), string) {
	c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		panic(err)
	}
	texts := [][]byte{
		[]byte("STATUS=" + strings.Repeat("\x1b[2J", 200)), []byte("X_BROOD_STATE=idle\nX_BROOD_STATE=busy"),
		[]byte("MAINPID=1"), []byte("X_BROOD_STATE=asleep"),
		{0, 1, 2},
		[]byte("READY=1\nWATCHDOG=1"),
		[]byte(strings.Repeat("GIANT", 10000)),
	}
	for i := range 200_000 {
		if _, err := c.Write(texts[i%len(texts)]); err != nil {
			panic(err)
		}
	}
}

// extendForEver ignores TERM and asks for more time, again and again.
func extendForEver(say func(string), _ string) {
	signal.Ignore(syscall.SIGTERM)
	go func() {
		for range time.Tick(50 * time.Millisecond) {
			say("EXTEND_TIMEOUT_USEC=999999999999999999")
		}
	}()
}

// storeDescriptors sends far more than anybody keeps.
func storeDescriptors(func(string), string) {
	fd := dialNotify()
	null, err := os.Open(os.DevNull)
	if err != nil {
		panic(err)
	}
	rights := make([]int, 253)
	for i := range rights {
		rights[i] = int(null.Fd())
	}
	for i := range 500 {
		text := []string{"FDSTORE=1\nFDNAME=x", "FDSTORE=1\nFDNAME=a:b", "BARRIER=1", "nothing", "FDSTOREREMOVE=1\nFDNAME=x"}[i%5]
		if err := unix.Sendmsg(fd, []byte(text), unix.UnixRights(rights...), nil, 0); err != nil {
			panic(err)
		}
	}
}

// storeLingering sends connections that take a minute to close: they have data
// for somebody who does not read.
func storeLingering(_ func(string), asked string) {
	fd := dialNotify()
	// Whoever closes last has to wait: the daemon, which finds all of them sent
	// and closed.
	daemon := os.Getppid()
	_ = syscall.Kill(daemon, syscall.SIGSTOP)
	defer func() { _ = syscall.Kill(daemon, syscall.SIGCONT) }()
	for range lingering {
		c, err := net.Dial("tcp", asked)
		if err != nil {
			panic(err)
		}
		f, err := c.(*net.TCPConn).File()
		if err != nil {
			panic(err)
		}
		c.Close()
		at := int(f.Fd())
		if err := unix.SetsockoptLinger(at, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 60}); err != nil {
			panic(err)
		}
		_ = unix.SetNonblock(at, true)
		for err = nil; err == nil; {
			_, err = unix.Write(at, make([]byte, 1<<16))
		}
		_ = unix.SetNonblock(at, false)
		if err := unix.Sendmsg(fd, []byte("STATUS=take this"), unix.UnixRights(at), nil, 0); err != nil {
			panic(err)
		}
		f.Close()
	}
}

// lingering is how many connections are sent.
const lingering = 3

// dialNotify is the notify socket as a descriptor that may carry others.
func dialNotify() int {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}); err != nil {
		panic(err)
	}
	return fd
}
