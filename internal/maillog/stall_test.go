package maillog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/internal/await"
)

// asStdout puts a descriptor in the place of the standard output.
func asStdout(t *testing.T, fd int) {
	t.Helper()
	before, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Dup3(fd, 1, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Dup3(before, 1, 0)
		_ = unix.Close(before)
	})
}

// fill writes until nothing more is taken.
func fill(t *testing.T, fd int) {
	t.Helper()
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{4096, 1} {
		for {
			if _, err := unix.Write(fd, make([]byte, size)); errors.Is(err, unix.EAGAIN) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}

// TestStdoutThatNobodyReads: the line waits, and the caller does not.
func TestStdoutThatNobodyReads(t *testing.T) {
	pipe := make([]int, 2)
	if err := unix.Pipe2(pipe, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, ends := range map[string][2]int{"pipe": {pipe[0], pipe[1]}, "socket": pair} {
		t.Run(name, func(t *testing.T) {
			reader := os.NewFile(uintptr(ends[0]), name)
			defer reader.Close()
			defer unix.Close(ends[1])
			fill(t, ends[1])
			asStdout(t, ends[1])
			p := NewPostlog(filepath.Join(t.TempDir(), "none"), stdout, "host", "tag")
			defer p.Close()
			done := make(chan error, 1)
			go func() { done <- p.Handle(t.Context(), record(Warning, "waits")) }()
			select {
			case err := <-done:
				if err != nil || p.Pending() != 1 {
					t.Errorf("%d lines wait, %v", p.Pending(), err)
				}
			case <-time.After(await.Patience):
				reader.Close()
				t.Fatal("the caller waits as well")
			}
			var got []byte
			for buf := make([]byte, 64<<10); !bytes.Contains(got, []byte("waits\n")); {
				n, err := reader.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				got = append(bytes.TrimLeft(got, "\x00"), buf[:n]...)
			}
		})
	}
}

// TestLastWordsOfNoFile: words are not looked for where reading would wait, or
// take a line from whoever is to read it.
func TestLastWordsOfNoFile(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 1)
	search := func(file string) string {
		go func() { done <- LastWords(file, 7, time.Now().Add(-time.Minute)) }()
		select {
		case words := <-done:
			return words
		case <-time.After(await.Patience):
			t.Fatalf("it waits for %s", file)
			return ""
		}
	}
	if words := search(fifo); words != "" {
		t.Errorf("found %s", words)
	}
	f, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const line = "host x[7]: fatal: it is not ours\n"
	if _, err := f.WriteString(line); err != nil {
		t.Fatal(err)
	}
	if words := search(fifo); words != "" {
		t.Errorf("found %s", words)
	}
	buf := make([]byte, 100)
	_ = f.SetReadDeadline(time.Now().Add(await.Patience))
	if n, err := f.Read(buf); string(buf[:n]) != line {
		t.Errorf("its reader got %q, %v", buf[:n], err)
	}
}
