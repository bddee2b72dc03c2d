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
