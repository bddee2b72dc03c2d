package native

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/brood-project/brood/internal/await"
)

func portText(n int) string { return strconv.Itoa(n) }

func dial(port int) (net.Conn, error) {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		err = c.SetDeadline(time.Now().Add(await.Patience))
	}
	return c, err
}

// wellAnswered is the beginning of a good answer. The words after the status are
// optional, RFC 9112, section 4; unicorn leaves them out now and then.
var wellAnswered = regexp.MustCompile(`^HTTP/1\.[01] 200[ \r]`)

// askHTTP is one request of its own connection.
func askHTTP(_ *daemon, port int, slow bool) (string, error) {
	c, err := dial(port)
	if err != nil {
		return "", err
	}
	defer c.Close()
	path := "/"
	if slow {
		path = "/slow"
	}
	fmt.Fprintf(c, "GET %s HTTP/1.0\r\n\r\n", path)
	b, err := io.ReadAll(c)
	if err == nil && !wellAnswered.Match(b) {
		err = fmt.Errorf("the answer is %q", b)
	}
	return string(b), err
}

// pace is the word by which a client says what it wants.
func pace(slow bool) string {
	if slow {
		return "slow"
	}
	return "quick"
}

// askLine is one line there and one line back.
func askLine(_ *daemon, port int, slow bool) (string, error) {
	c, err := dial(port)
	if err != nil {
		return "", err
	}
	defer c.Close()
	fmt.Fprintln(c, pace(slow))
	return bufio.NewReader(c).ReadString('\n')
}

// askUDP is one datagram there and one back.
func askUDP(_ *daemon, port int, slow bool) (string, error) {
	c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(await.Patience))
	fmt.Fprint(c, pace(slow))
	b := make([]byte, 100)
	n, err := c.Read(b)
	return string(b[:n]), err
}

// askFastCGI asks as a web server does.
func askFastCGI(d *daemon, _ int, slow bool) (string, error) {
	query := ""
	if slow {
		query = "/slow"
	}
	cmd := exec.Command("timeout", "60", "cgi-fcgi", "-bind", "-connect", filepath.Join(d.dir, "run", "web.sock"))
	cmd.Env = []string{
		"PATH=/usr/bin:/bin", "REQUEST_METHOD=GET", "QUERY_STRING=" + query,
		"SCRIPT_FILENAME=" + filepath.Join(d.dir, "page.php"),
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// askGit clones a repository and returns what stands in its file.
func askGit(d *daemon, port int, _ bool) (string, error) {
	to, err := os.MkdirTemp(d.dir, "clone")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("timeout", "60", "git", "clone", "-q", fmt.Sprintf("git://127.0.0.1:%d/repository.git", port), to)
	if out, err := cmd.CombinedOutput(); err != nil {
		return string(out), err
	}
	text, err := os.ReadFile(filepath.Join(to, "file"))
	return string(text), err
}

// makeRepository is what git daemon has to serve.
func makeRepository(d *daemon) {
	d.write("file", "served by git\n")
	work := filepath.Join(d.dir, "work")
	d.made("git", "init", "-q", work)
	if err := os.Rename(filepath.Join(d.dir, "file"), filepath.Join(work, "file")); err != nil {
		d.t.Fatal(err)
	}
	d.made("git", "-C", work, "add", "file")
	d.made("git", "-C", work, "-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "commit", "-q", "-m", "a file")
	d.made("git", "clone", "-q", "--bare", work, filepath.Join(d.dir, "repository.git"))
}

// made runs a command that has to succeed.
func (d *daemon) made(command ...string) {
	d.t.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s: %v: %s", strings.Join(command, " "), err, out)
	}
}

// startNginx has nginx listen at the program's port and pass on what comes.
func (l *life) startNginx() {
	text, err := os.ReadFile(filepath.Join("testdata", "programs", l.nginx))
	if err != nil {
		l.t.Fatal(err)
	}
	l.write("nginx.conf", strings.NewReplacer("{port}", portText(l.port), "{dir}", l.dir, "{page}", l.files[0]).Replace(string(text)))
	args := []string{"-p", l.dir, "-e", filepath.Join(l.dir, "nginx.log"), "-c", filepath.Join(l.dir, "nginx.conf")}
	if os.Geteuid() == 0 {
		args = append(args, "-g", "user root;") // the directory is ours alone
	}
	cmd := exec.Command("/usr/sbin/nginx", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	l.eventually("nginx listens", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

var wrkRequests = regexp.MustCompile(`(\d+) requests in`)

// wrk loads the program with eight clients until its end is asked for, each
// request a connection of its own, and wants no error.
func (l *life) wrk() (ends func()) {
	cmd := exec.Command("wrk", "-t1", "-c8", "-d120s", "--timeout", "60s", "-H", "Connection: close",
		fmt.Sprintf("http://127.0.0.1:%d/", l.port))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = cmd.Process.Kill() }) // of a test that has failed before its end
	return func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // it tells what it has
		err := cmd.Wait()
		said := out.String()
		m := wrkRequests.FindStringSubmatch(said)
		switch {
		case err != nil, m == nil, m[1] == "0":
			l.t.Errorf("wrk: %v: %s", err, said)
		case strings.Contains(said, "Socket errors"), strings.Contains(said, "Non-2xx"):
			l.t.Errorf("a reload lost clients: %s\nthe log:\n%s", said, l.lastLines())
		}
	}
}
