package postfix

import (
	"os/exec"
	"testing"
)

// Several instances are administered together, by Debian's postmulti(1) and by
// the wrapper script that Postfix has for those who do not want it.
func TestMultipleInstances(t *testing.T) {
	if !mayMount() {
		t.Fatal("the kernel does not let us make a private mount namespace, and several instances have no head but /etc/postfix")
	}
	under(t, func(t *testing.T, master flavour) {
		t.Run("postfix-wrapper", func(t *testing.T) {
			first, second := newPair(t, master, "${daemon_directory}/postfix-wrapper")
			administer(first, second, func(command string) (string, error) {
				return first.asSystem("postfix", command)
			})
		})
		t.Run("postmulti", func(t *testing.T) {
			first, second := newPair(t, master, "${command_directory}/postmulti -p --")
			administer(first, second, func(command string) (string, error) {
				return first.asSystem("postmulti", "-p", command)
			})
		})
	}, both()...)
}

// newPair makes two instances, of which the first one is in charge.
func newPair(t *testing.T, master flavour, wrapper string) (first, second *instance) {
	t.Helper()
	first, second = newInstance(t, master), newInstance(t, master)
	first.set("multi_instance_enable", "yes")
	first.set("multi_instance_wrapper", wrapper)
	first.set("multi_instance_directories", second.conf)
	second.set("multi_instance_enable", "yes")
	second.set("multi_instance_name", "postfix-second")
	return first, second
}

// mayMount tells whether this process may make a mount namespace; some
// containers do not let it.
func mayMount() bool {
	return exec.Command("unshare", "-m", "true").Run() == nil
}

// asSystem runs a command that takes the instance for the machine's own mail
// system: in a mount namespace of its own, /etc/postfix is the instance's
// configuration. Nobody else sees that.
func (in *instance) asSystem(name string, args ...string) (string, error) {
	in.Helper()
	script := `mount --bind "$0" /etc/postfix && exec env -u MAIL_CONFIG "$@"`
	return in.try("unshare", append([]string{"-m", "sh", "-c", script, in.conf, name}, args...)...)
}

// administer starts both instances, asks for their state, reloads and stops
// them.
func administer(first, second *instance, postfix func(command string) (string, error)) {
	first.Helper()
	pair := []*instance{first, second}
	do := func(command string) {
		first.Helper()
		if out, err := postfix(command); err != nil {
			first.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	// status fails while one of them does not run.
	if out, err := postfix("status"); err == nil {
		first.Fatalf("status of what does not run: %s", out)
	}
	do("start")
	marks := []int64{first.mark(), second.mark()}
	do("status")
	do("reload")
	for i, in := range pair {
		in.await(marks[i], `the Postfix mail system is running: PID: `)
		in.await(marks[i], `master\[\d+\]: reload -- version`)
		dial(in.T, address(in.smtp)).say(221, "QUIT")
	}
	// Each can still be stopped and started by itself.
	pids := []int{first.master(), second.master()}
	second.postfix("stop")
	second.gone(pids[1])
	if !alive(pids[0]) {
		first.Error("the first instance was stopped with the second")
	}
	pids[1] = second.start()
	do("status")
	do("stop")
	for i, in := range pair {
		in.gone(pids[i])
	}
}
