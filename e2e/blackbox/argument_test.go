package blackbox

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/brood-project/brood/internal/ports"
)

var argumentRows = []row{
	{"arguments/plain", "command, -n NAME, -t TRANSPORT, -u, then the rest of the row", arguments("svc unix - - n - 5 fake a b", "fake -n svc -t unix -u a b")},
	{"arguments/single", "-l when maxproc is 1", arguments("svc unix - - n - 1 fake", "fake -l -n svc -t unix -u")},
	{"arguments/unlimited", "-z when maxproc is 0", arguments("svc unix - - n - 0 fake", "fake -z -n svc -t unix -u")},
	{"arguments/same-name", "no -n when the command's base name is the service's", arguments("fake unix - - n - 5 fake", "fake -t unix -u")},
	{"arguments/privileged", "no -u for unprivileged n", arguments("svc unix - n n - 5 fake", "fake -n svc -t unix")},
	{"arguments/chroot", "-c for chroot y", arguments("svc unix - n y - 5 fake", "fake -n svc -t unix -c")},
	{"arguments/defaults", "private, unprivileged and chroot left out are y, y and n", arguments("svc unix - - - - 5 fake", "fake -n svc -t unix -u")},
	{"arguments/fifo", "-t fifo", arguments("svc fifo n n n - 5 fake", "fake -n svc -t fifo")},
	{"arguments/unix-dgram", "-t unix-dgram", arguments("svc unix-dgram n n n - 5 fake", "fake -n svc -t unix-dgram")},
	{"arguments/pass", "-t pass, and stress", arguments("svc pass - n n - 5 fake", "fake -n svc -t pass -o stress=")},
	{"arguments/pass-single", "no stress with maxproc 1", arguments("svc pass - n n - 1 fake", "fake -l -n svc -t pass")},
	{"arguments/braces", "{ … } is one argument, stripped of its outer blanks", argumentBraces},
	{"arguments/inet-listeners", "-s N for N > 1 listeners, after stress and before the rest", argumentListeners},
	{"arguments/debug-and-verbose", "-d for a master run with -d, one -v for a master run with -v, before -u", argumentVerbose},
	{"arguments/continuation", "a row goes on in lines that begin with white space; comments stand between", argumentContinuation},
}

// arguments is a row that expects an argument vector, written with blanks.
func arguments(service, want string) func(t *testing.T, m master) {
	return func(t *testing.T, m master) {
		in := newInstance(t, m)
		in.service(service)
		in.start()
		c := in.bornOf(fieldsOf(service)[0], fieldsOf(service)[1])
		if !slices.Equal(c.Args, fieldsOf(want)) {
			t.Errorf("%s\nis run as %q\nand not   %q", service, c.Args, fieldsOf(want))
		}
	}
}

// bornOf is the child that a client of the service brings about.
func (in *instance) bornOf(name, transport string) *child {
	in.t.Helper()
	switch transport {
	case "fifo":
		in.must(os.WriteFile(in.endpoint(name), []byte("x"), 0))
	case "unix-dgram":
		if _, err := in.dialAt("unixgram", in.endpoint(name)).Write([]byte("x")); err != nil {
			in.t.Fatal(err)
		}
	case "inet":
		in.dialAt("tcp", name)
	default:
		in.dial(name)
	}
	return in.child(name)
}

func argumentBraces(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - n n - 5 fake -o { name = some value }  {}  { { nested } x } last")
	in.start()
	c := in.bornOf("svc", "unix")
	want := []string{"fake", "-n", "svc", "-t", "unix", "-o", "name = some value", "", "{ nested } x", "last"}
	if !slices.Equal(c.Args, want) {
		t.Errorf("arguments %q, not %q", c.Args, want)
	}
}

func argumentListeners(t *testing.T, m master) {
	in := newInstance(t, m)
	port := strconv.Itoa(ports.Free(t))
	in.set("inet_protocols = all", "inet_interfaces = all")
	in.service(port + " inet n - y - 5 fake rest")
	in.start()
	in.dialAt("tcp", "127.0.0.1:"+port)
	c := in.child(port)
	want := fieldsOf("fake -n " + port + " -t inet -u -c -o stress= -s 2 rest")
	if !slices.Equal(c.Args, want) {
		t.Errorf("arguments %q, not %q", c.Args, want)
	}
}

func argumentVerbose(t *testing.T, m master) {
	in := newInstance(t, m)
	port := strconv.Itoa(ports.Free(t))
	in.set("inet_protocols = all", "inet_interfaces = all")
	in.service(port + " inet n - y - 5 fake -v rest")
	in.start("-d", "-v")
	in.dialAt("tcp", "127.0.0.1:"+port)
	c := in.child(port)
	want := fieldsOf("fake -n " + port + " -t inet -d -v -u -c -o stress= -s 2 -v rest")
	if !slices.Equal(c.Args, want) {
		t.Errorf("arguments %q, not %q", c.Args, want)
	}
}

func argumentContinuation(t *testing.T, m master) {
	in := newInstance(t, m)
	in.service("svc unix - n n", "  - 5 fake", "# a comment", "", "  # another", "   first", "\tsecond", "other unix - n n - 5 fake")
	in.start()
	c := in.bornOf("svc", "unix")
	if want := fieldsOf("fake -n svc -t unix first second"); !slices.Equal(c.Args, want) {
		t.Errorf("arguments %q, not %q", c.Args, want)
	}
}

// fieldsOf splits what is written with blanks.
func fieldsOf(s string) []string { return strings.Fields(s) }
