package child

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReport(t *testing.T) {
	eachMeans(t, func(t *testing.T) {
		out, pid := output(t, func(fd int) *Spec {
			s := self(t, "report", fd)
			s.Args = []string{"name", "-a", "b c", ""}
			s.EnvMore = []string{"GENERATION=17"}
			s.PIDEnv = []string{"LISTEN_PID"}
			s.Env = append(s.Env, "LISTEN_PID=1", "LISTEN_PIDS=2")
			s.Dir = "/usr"
			s.Umask = 0o077
			return s
		})
		for name, want := range map[string]string{
			"pid": strconv.Itoa(pid), "dir": "/usr", "umask": "077",
			"arg0": "name", "arg1": "-a", "arg2": "b c", "arg3": "", "arg4": "none",
			"env GENERATION=": "17", "env LISTEN_PID=": strconv.Itoa(pid), "env LISTEN_PIDS=": "2",
		} {
			if got := field(out, name+" "); strings.HasSuffix(name, "=") {
				if got = field(out, name); got != want {
					t.Errorf("%s is %q, want %q\n%s", name, got, want, out)
				}
			} else if got != want {
				t.Errorf("%s is %q, want %q\n%s", name, got, want, out)
			}
		}
	})
}

// TestDefaults: what a Spec doesn't say is as it is with us.
func TestDefaults(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := output(t, func(fd int) *Spec {
		s := program(t, fd, "/bin/sh", "-c", "")
		s.Path, s.Args = "/bin/pwd", nil
		return s
	})
	if got := strings.TrimSpace(out); got != wd {
		t.Errorf("directory %q, want %q", got, wd)
	}
}

func TestManyArguments(t *testing.T) {
	big := strings.Repeat("x", 100_000)
	args := []string{"/bin/sh", "-c", `echo $# ${#1} ${#11}`}
	for range 12 {
		args = append(args, big)
	}
	out, _ := output(t, func(fd int) *Spec { return program(t, fd, args...) })
	if out != "11 100000 100000\n" {
		t.Errorf("got %q", out)
	}
	_, err := Start(&Spec{Path: "/bin/true", Args: []string{"true", strings.Repeat("x", 1<<20)}})
	_ = wantStartError(t, err, "exec /bin/true", unix.E2BIG)
}

// maskOf is a signal mask as /proc shows it, with these signals.
func maskOf(sigs ...syscall.Signal) uint64 {
	var m uint64
	for _, s := range sigs {
		m |= 1 << (s - 1)
	}
	return m
}

// TestSignals looks at a program that changes nothing of what it was born with.
func TestSignals(t *testing.T) {
	inherited := inheritedIgnored(t)
	eachMeans(t, func(t *testing.T) {
		for _, ignore := range []bool{false, true} {
			out, _ := output(t, func(fd int) *Spec {
				s := program(t, fd, "/bin/cat", "/proc/self/status")
				s.IgnoreSIGPIPE = ignore
				return s
			})
			ignored := inherited
			if ignore {
				ignored |= maskOf(syscall.SIGPIPE)
			}
			for name, want := range map[string]uint64{"SigBlk:": 0, "SigCgt:": 0, "SigIgn:": ignored} {
				if got := field(out, name); got != fmt.Sprintf("%016x", want) {
					t.Errorf("SIGPIPE ignored %t: %s %s, want %016x", ignore, name, got, want)
				}
			}
		}
	})
}

// inheritedIgnored is what this process ignores, but for SIGPIPE, about which
// a Spec decides.
func inheritedIgnored(t *testing.T) uint64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	m, err := strconv.ParseUint(field(string(status), "SigIgn:"), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	if m&maskOf(syscall.SIGWINCH) == 0 {
		t.Fatal("the test process does not ignore SIGWINCH")
	}
	return m &^ maskOf(syscall.SIGPIPE)
}

// TestSurroundings has one thing asked for in each case and looks for it in
// what /proc tells of the child.
func TestSurroundings(t *testing.T) {
	nice := 19 // nobody needs leave for the lowest
	for name, c := range map[string]struct {
		set  func(*Spec)
		args []string
		want func(pid int) map[string]string
	}{
		"no new privileges": {
			func(s *Spec) { s.NoNewPrivs = true },
			[]string{"/bin/cat", "/proc/self/status"},
			func(int) map[string]string { return map[string]string{"NoNewPrivs:": "1"} },
		},
		"limits": {
			func(s *Spec) {
				s.Rlimits = []Rlimit{{unix.RLIMIT_CORE, 4096, 8192}, {unix.RLIMIT_NOFILE, 40, 50}}
			},
			[]string{"/bin/cat", "/proc/self/limits"},
			func(int) map[string]string {
				return map[string]string{
					"Max core file size":  "4096                 8192                 bytes",
					"Max open files":      "40                   50                   files",
					"Max stack size none": "none",
				}
			},
		},
		"nice": {
			func(s *Spec) { s.Nice = &nice },
			[]string{"/usr/bin/nice"},
			func(int) map[string]string { return map[string]string{"": "19"} },
		},
		"session": {
			func(s *Spec) { s.Setsid = true },
			[]string{"/bin/sh", "-c", `read a b c d e f g < /proc/$$/stat; echo group $e; echo session $f`},
			func(pid int) map[string]string {
				return map[string]string{"group": strconv.Itoa(pid), "session": strconv.Itoa(pid)}
			},
		},
		"group": {
			func(s *Spec) { s.Setpgid = true },
			[]string{"/bin/sh", "-c", `read a b c d e f g < /proc/$$/stat; echo group $e`},
			func(pid int) map[string]string { return map[string]string{"group": strconv.Itoa(pid)} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, pid := output(t, func(fd int) *Spec {
				s := program(t, fd, c.args...)
				c.set(s)
				return s
			})
			for k, want := range c.want(pid) {
				if got := field(out, k); got != want {
					t.Errorf("%s is %q, want %q", k, got, want)
				}
			}
		})
	}
}

func TestCredential(t *testing.T) {
	who := &Credential{UID: 65534, GID: 65533, Groups: []uint32{7, 65532}}
	if os.Geteuid() != 0 {
		_, err := Start(&Spec{Path: "/bin/true", Credential: who})
		_ = wantStartError(t, err, "setgroups", unix.EPERM)
		return
	}
	for groups, c := range map[string]*Credential{
		"7 65532": who,
		"":        {UID: 65534, GID: 65533},
	} {
		out, _ := output(t, func(fd int) *Spec {
			s := program(t, fd, "/bin/cat", "/proc/self/status")
			s.Credential = c
			return s
		})
		for name, want := range map[string]string{
			"Uid:": "65534\t65534\t65534\t65534", "Gid:": "65533\t65533\t65533\t65533",
			"Groups:": groups, "CapEff:": "0000000000000000",
		} {
			if got := field(out, name); got != want {
				t.Errorf("%s %q, want %q", name, got, want)
			}
		}
	}
	if got := syscall.Getuid(); got != 0 {
		t.Errorf("our own user became %d", got)
	}
}

// wantStartError fails the test unless err names this step and cause.
func wantStartError(t *testing.T, err error, step string, errno syscall.Errno) *StartError {
	t.Helper()
	var e *StartError
	if !errors.As(err, &e) || e.Step != step || e.Err != errno {
		t.Errorf("error %v, want cannot %s: %v", err, step, errno)
		return &StartError{}
	}
	return e
}

// script writes an executable file.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFailures(t *testing.T) {
	eachMeans(t, func(t *testing.T) {
		plain := filepath.Join(t.TempDir(), "plain")
		if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		noInterpreter, noFormat := script(t, "#!/no/such -x\n"), script(t, "what?\n")
		dir := t.TempDir()
		for _, c := range []struct {
			s      Spec
			step   string
			errno  syscall.Errno
			detail string
		}{
			{Spec{Path: "/no/such"}, "exec /no/such", unix.ENOENT, ""},
			{Spec{Path: dir}, "exec " + dir, unix.EACCES, "directory"},
			{Spec{Path: plain}, "exec " + plain, unix.EACCES, "chmod +x"},
			{Spec{Path: noInterpreter}, "exec " + noInterpreter, unix.ENOENT, "interpreter /no/such "},
			{Spec{Path: noFormat}, "exec " + noFormat, unix.ENOEXEC, "#!"},
			{Spec{Path: "/bin/true", Dir: "/no/such"}, "chdir /no/such", unix.ENOENT, ""},
			{Spec{Path: "/bin/true", Files: []int{0, 1, 2, 15_999}}, "pass descriptor 15999", unix.EBADF, ""},
			{Spec{Path: "/bin/true", Files: []int{0, -2}}, "pass descriptor -2", unix.EBADF, ""},
			{Spec{Path: "/bin/true\x00"}, "hand over a string with a NUL byte", unix.EINVAL, ""},
			{Spec{Path: "/bin/true", Args: []string{"a\x00"}}, "hand over a string with a NUL byte", unix.EINVAL, ""},
			{Spec{Path: "/bin/true", Setsid: true, Setpgid: true}, "setpgid", unix.EPERM, ""},
			{Spec{Path: "/bin/true", Rlimits: []Rlimit{{unix.RLIMIT_CORE, 2, 1}}}, "set resource limit 4", unix.EINVAL, ""},
			{Spec{Path: "/bin/true", Credential: &Credential{UID: ^uint32(0)}}, "setuid 4294967295", unix.EINVAL, ""},
		} {
			if c.s.Credential != nil && os.Geteuid() != 0 {
				continue // setgroups fails first
			}
			if c.errno == unix.EBADF && (lacksCloseRange.Load() || tableSmall > 0) && c.s.Files[len(c.s.Files)-1] > 0 {
				c.step = "set up descriptor 3"
			}
			pid, err := Start(&c.s)
			if pid != 0 {
				t.Errorf("process %d for %s", pid, c.step)
			}
			e := wantStartError(t, err, c.step, c.errno)
			if !strings.Contains(e.Detail, c.detail) || c.detail == "" && e.Detail != "" {
				t.Errorf("detail %q, want %q", e.Detail, c.detail)
			}
			if !errors.Is(err, c.errno) {
				t.Errorf("%v is not %v", err, c.errno)
			}
		}
		if d, ok := Reap(); ok {
			t.Errorf("a failed birth left process %d", d.PID)
		}
		if err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != unix.ECHILD {
			t.Errorf("children left: %v", err)
		}
	})
}
