package child

import (
	"strconv"
	"testing"
)

func TestReport(t *testing.T) {
	out, pid := output(t, func(fd int) *Spec {
		s := self(t, "report", fd)
		s.Args = []string{"name", "-a", "b c", ""}
		s.EnvMore = []string{"GENERATION=17"}
		s.PIDEnv = "LISTEN_PID"
		s.Env = append(s.Env, "LISTEN_PID=1")
		s.Dir = "/usr"
		s.Umask = 0o077
		return s
	})
	for name, want := range map[string]string{
		"pid": strconv.Itoa(pid), "dir": "/usr", "umask": "077",
		"arg0": "name", "arg1": "-a", "arg2": "b c", "arg3": "", "arg4": "none",
		"env GENERATION=": "17", "env LISTEN_PID=": strconv.Itoa(pid),
	} {
		if got := field(out, name); got != want {
			t.Errorf("%s is %q, want %q\n%s", name, got, want, out)
		}
	}
}
