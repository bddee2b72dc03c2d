package child

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// eachMeans runs a test with each of the ways to give birth.
func eachMeans(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	defer func(n int) { tableSmall = n }(tableSmall)
	tableSmall = 0
	t.Run("clone3", test)
	t.Run("clone", func(t *testing.T) {
		lacksClone3.Store(true)
		defer lacksClone3.Store(false)
		test(t)
	})
	tableSmall = 100_000
	t.Run("whole table", test)
	t.Run("no close_range", func(t *testing.T) {
		sealInherited()
		lacksCloseRange.Store(true)
		defer lacksCloseRange.Store(false)
		test(t)
	})
}

// eachTable runs a test with both ways to a table of descriptors. Without
// close_range a child keeps all of ours until it executes its program, so tests
// of births that are stalled before can't have that.
func eachTable(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	defer func(n int) { tableSmall = n }(tableSmall)
	tableSmall = 0
	t.Run("pad", test)
	tableSmall = 100_000
	t.Run("whole table", test)
}

// someFiles opens n different files at descriptors from low on.
func someFiles(t *testing.T, n, low int) []int {
	t.Helper()
	fds := make([]int, n)
	for i := range fds {
		f, err := os.Create(filepath.Join(t.TempDir(), strconv.Itoa(i)))
		if err != nil {
			t.Fatal(err)
		}
		fds[i], err = unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, low)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		t.Cleanup(func() { _ = unix.Close(fds[i]) })
	}
	return fds
}

func TestFiles(t *testing.T) {
	eachMeans(t, testFiles)
	t.Run("10000 open", func(t *testing.T) {
		openMany(t, 10_000)
		testFiles(t)
	})
}

func testFiles(t *testing.T) {
	low, high, many := someFiles(t, 4, 3), someFiles(t, 8, 300), someFiles(t, 60, 400)
	if !lacksCloseRange.Load() {
		// Not even what is not close-on-exec gets to a child unasked.
		if _, err := unix.FcntlInt(uintptr(low[3]), unix.F_SETFD, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.SetNonblock(high[2], true); err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(low, high, many)
	flags := statusFlags(t, all)
	for name, files := range map[string][]int{
		"none":    {},
		"low":     {low[2], low[0], low[1]},
		"high":    {high[0], high[1], high[2], high[3]},
		"mixed":   {low[0], high[2], closed, low[0], closed, high[2], high[5]},
		"many":    append([]int{low[1]}, many...),
		"gaps":    slices.Concat(slices.Repeat([]int{closed}, 100), high[:1]),
		"reverse": {7, 6, 5, 4, 3},
		"where":   {3, 4, 5, 6, 7},
	} {
		t.Run(name, func(t *testing.T) {
			var want string
			out, _ := output(t, func(fd int) *Spec {
				s := program(t, fd, "/bin/sh", "-c", "ls -Liv1 /proc/$$/fd; exit 0")
				s.Files = append(s.Files, files...)
				want = listFiles(t, s.Files)
				return s
			})
			if got := strings.Join(strings.Fields(out), " "); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if fmt.Sprint(flags) != fmt.Sprint(statusFlags(t, all)) {
				t.Errorf("status flags have changed")
			}
		})
	}
}

// statusFlags are those that all who share an open file see, O_NONBLOCK among
// them.
func statusFlags(t *testing.T, fds []int) (flags []int) {
	t.Helper()
	for _, fd := range fds {
		f, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			t.Fatal(err)
		}
		flags = append(flags, f)
	}
	return flags
}

// listFiles is what ls tells of a child with these files: inode and number.
func listFiles(t *testing.T, files []int) string {
	t.Helper()
	var want []string
	for i, fd := range files {
		var st syscall.Stat_t
		if fd == closed {
			continue
		}
		if err := syscall.Fstat(fd, &st); err != nil {
			t.Fatal(fd, err)
		}
		want = append(want, fmt.Sprint(st.Ino, i))
	}
	return strings.Join(want, " ")
}

// TestStandardFilesClosed: our own 0, 1 and 2 are not close-on-exec, and still
// a child that is not to have them has none.
func TestStandardFilesClosed(t *testing.T) {
	eachMeans(t, func(t *testing.T) {
		out, _ := output(t, func(fd int) *Spec {
			s := program(t, fd, "/bin/sh", "-c",
				`for i in 0 1 2 3 4; do test -e /proc/$$/fd/$i && echo $i >&3; done; exit 0`)
			s.Files = []int{closed, closed, closed, fd}
			return s
		})
		if out != "3\n" {
			t.Errorf("open: %q, want 3 alone", out)
		}
	})
}

// TestPadKeepsNoSocket: a listener that was passed to a child and closed by
// both no longer answers.
func TestPadKeepsNoSocket(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	high, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 500)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	output(t, func(fd int) *Spec {
		s := program(t, fd, "/bin/true")
		s.Files = append(s.Files, high)
		return s
	})
	_ = unix.Close(high)
	_ = ln.Close()
	if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("the socket is still open somewhere")
	}
}

func TestNoLeak(t *testing.T) {
	eachMeans(t, func(t *testing.T) {
		birthAndFailure(t)
		before := openFiles(t)
		for range 20 {
			birthAndFailure(t)
		}
		if after := openFiles(t); after != before {
			t.Errorf("descriptors before: %s\nafter: %s", before, after)
		}
	})
}

func birthAndFailure(t *testing.T) {
	t.Helper()
	t.Run("birth", func(t *testing.T) {
		out, _ := output(t, func(fd int) *Spec { return program(t, fd, "/bin/echo", "x") })
		if out != "x\n" {
			t.Fatalf("output %q", out)
		}
		if _, err := Start(&Spec{Path: "/none", Files: someFiles(t, 3, 300)}); err == nil {
			t.Fatal("a missing program started")
		}
	})
}

// openFiles lists the open descriptors of this process.
func openFiles(t *testing.T) string {
	t.Helper()
	var open []string
	for fd := range 20_000 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			open = append(open, strconv.Itoa(fd))
		}
	}
	return strings.Join(open, " ")
}
