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
)

// roleVariable has this program be a worker, so that a test can say to the
// millisecond how it behaves. In a brood.toml: env = { BROOD_TEST_ROLE = "serve" }
const roleVariable = "BROOD_TEST_ROLE"

// roles are what this program can be.
var roles = map[string]func(args []string){
	"serve": playServe,
	"loud":  playLoud,
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
		time.Sleep(delay) // this is what the test asks for: a slow start
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
		time.Sleep(d) // the client's work
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
