package worker

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseArguments(t *testing.T) {
	type parameters = map[string]string
	for _, c := range []struct {
		argv string
		want arguments
	}{
		{"-t unix", arguments{service: "prog", sockets: 1, transport: "unix", parameters: parameters{}}},
		{
			"-l -n a:b -t inet -d -v -u -c -o stress= -s 3 -o max_idle=3s -vv -omax_use=7 -- -x y",
			arguments{
				service: "a:b", transport: "inet", sockets: 3, verbose: 3, single: true, attached: true,
				unprivileged: true, chroot: true,
				parameters: parameters{"stress": "", "max_idle": "3s", "max_use": "7"}, rest: []string{"-x", "y"},
			},
		},
		{
			"-zS -V -D -i 5 -m6 operand -v",
			arguments{
				service: "prog", sockets: 1, unlimited: true, stdio: true, stderr: true,
				parameters: parameters{"max_idle": "5", "max_use": "6"}, rest: []string{"operand", "-v"},
			},
		},
	} {
		got, err := parseArguments("prog", strings.Fields(c.argv))
		if err != nil {
			t.Errorf("%s: %v", c.argv, err)
		}
		if len(got.rest) == 0 {
			got.rest = nil
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(arguments{})); diff != "" {
			t.Errorf("%s:\n%s", c.argv, diff)
		}
	}
	for argv, want := range map[string]string{
		"-t":       "option -t wants a value",
		"-s 0":     "option -s wants a number above 0",
		"-s x":     "option -s wants a number above 0",
		"-o x":     "option -o wants NAME=VALUE",
		"-o =x":    "option -o wants NAME=VALUE",
		"-v -x":    "unknown option -x",
		"-u --foo": "unknown option --",
	} {
		if _, err := parseArguments("prog", strings.Fields(argv)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", argv, err, want)
		}
	}
}

func TestParseMainCF(t *testing.T) {
	got := parseMainCF("# a comment\nmail_owner = mailer\n max_idle=1\nmax_use = 5\n\n  # within\n\t0\nmax_use=7\nx = $y\nlast=1")
	want := map[string]string{"mail_owner": "mailer max_idle=1", "max_use": "7", "last": "1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSettle(t *testing.T) {
	type m = map[string]string
	main := m{"max_idle": "2m", "max_use": "9", "mail_owner": "mailer"}
	for _, c := range []struct {
		name           string
		o              Options
		override, main m
		want           settings
	}{
		{"nothing said", Options{}, nil, nil, settings{100 * time.Second, 100, "postfix", Shrink}},
		{"main.cf", Options{}, nil, main, settings{2 * time.Minute, 9, "mailer", Shrink}},
		{"author before main.cf", Options{MaxIdle: 1, MaxUse: 2, User: "u", Order: Serial}, nil, main, settings{1, 2, "u", Serial}},
		{
			"operator before author",
			Options{MaxIdle: 1, MaxUse: 2, User: "u", Order: Serial},
			m{"max_idle": "1h", "max_use": "4", "mail_owner": "o", "accept_order": "shrink"},
			main,
			settings{time.Hour, 4, "o", Shrink},
		},
	} {
		got, err := settle(c.o, c.override, c.main)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
	for _, bad := range []m{
		{"max_idle": ""},
		{"max_idle": "0"},
		{"max_idle": "-1s"},
		{"max_idle": "5y"},
		{"max_idle": "s"},
		{"max_use": "0"},
		{"max_use": "many"},
		{"accept_order": "fair"},
	} {
		if got, err := settle(Options{}, bad, nil); err == nil {
			t.Errorf("%v: settled as %+v", bad, got)
		}
	}
}

// TestBroodSaysTheOrder: what brood.toml says goes before the author, and what is
// said in the arguments before both.
func TestBroodSaysTheOrder(t *testing.T) {
	t.Setenv(envAccept, "spread")
	for order, override := range map[Order]map[string]string{Turns: nil, Shrink: {"accept_order": "shrink"}} {
		if got, err := settle(Options{}, override, nil); err != nil || got.order != order {
			t.Errorf("%v: %v, %v", override, got.order, err)
		}
	}
}

func TestLogFormats(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postlog")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv(envLogTag, "postfix-two")
	t.Setenv(envPostlogService, path)
	t.Setenv(envPostlogHostname, "mail.example")
	postlog := newLogHandler("prog", 0, false)
	syslog := newLogHandler("prog", 1, false)
	syslog.sink.postlog = false
	for _, c := range []struct {
		handler slog.Handler
		level   slog.Level
		want    string
	}{
		{postlog, slog.LevelInfo, `^\w{3} [ \d]\d \d\d:\d\d:\d\d mail\.example postfix-two/prog\[\d+\]: hi\?there who=me g\.n=1$`},
		{postlog, slog.LevelWarn, `: warning: hi`},
		{syslog, slog.LevelDebug, `^<22>\w{3} [ \d]\d \d\d:\d\d:\d\d postfix-two/prog\[\d+\]: hi`},
		{syslog, slog.LevelWarn, `^<20>.*: warning: hi`},
		{syslog, slog.LevelError, `^<19>.*: error: hi`},
		{syslog, levelFatal, `^<18>.*: fatal: hi`},
	} {
		slog.New(c.handler).With("who", "me").WithGroup("g").Log(context.Background(), c.level, "hi\nthere", "n", 1)
		buf := make([]byte, 1000)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(c.want).Match(buf[:n]) {
			t.Errorf("%v: %q does not match %s", c.level, buf[:n], c.want)
		}
	}
	if postlog.Enabled(context.Background(), slog.LevelDebug) {
		t.Error("debug lines without -v")
	}
}
