package child

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkBirth measures a life of a program that ends at once: birth, end,
// burial. With tiny, what the program itself costs is as little as the kernel
// allows; true is what a small dynamic program costs.
func BenchmarkBirth(b *testing.B) {
	for _, prog := range []string{"tiny", "true"} {
		path := "/bin/true"
		if prog == "tiny" {
			path = tinyProgram(b)
		}
		for _, open := range []int{0, 10_000} {
			b.Run(fmt.Sprintf("%s/open=%d", prog, open), func(b *testing.B) {
				openMany(b, open)
				b.Run("ForkExec", func(b *testing.B) { benchForkExec(b, path) })
				b.Run("Start", func(b *testing.B) { benchStart(b, path) })
				b.Run("WholeTable", func(b *testing.B) {
					lacksCloseRange.Store(true)
					defer lacksCloseRange.Store(false)
					benchStart(b, path)
				})
				for _, n := range []int{1, 4} {
					b.Run(fmt.Sprintf("Begin%d", n), func(b *testing.B) { benchBegin(b, path, n) })
				}
			})
		}
	}
}

// benchSpec is a birth as a Postfix daemon has it: eight descriptors, some of
// them high.
func benchSpec(b *testing.B, path string) *Spec {
	b.Helper()
	null := devNull(b)
	high, err := unix.FcntlInt(uintptr(null), unix.F_DUPFD_CLOEXEC, 900)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.Close(high) })
	return &Spec{
		Path:          path,
		Args:          []string{path, "-n", "smtp", "-t", "inet", "-u"},
		Env:           []string{"PATH=/usr/bin:/bin", "LANG=C", "MAIL_CONFIG=/etc/postfix", "MAIL_LOGTAG=postfix"},
		EnvMore:       []string{"GENERATION=1234"},
		Files:         []int{null, null, null, high, high, high, high, high},
		Umask:         0o077,
		Dir:           "/",
		IgnoreSIGPIPE: true,
	}
}

func benchStart(b *testing.B, path string) {
	s := benchSpec(b, path)
	b.ReportAllocs()
	for b.Loop() {
		pid, err := Start(s)
		if err != nil {
			b.Fatal(err)
		}
		bury(b, pid)
	}
}

func benchForkExec(b *testing.B, path string) {
	s := benchSpec(b, path)
	attr := &syscall.ProcAttr{Dir: s.Dir, Env: append(s.Env, s.EnvMore...)}
	for _, fd := range s.Files {
		attr.Files = append(attr.Files, uintptr(fd))
	}
	b.ReportAllocs()
	for b.Loop() {
		pid, err := syscall.ForkExec(path, s.Args, attr)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// benchBegin keeps n children on their way.
func benchBegin(b *testing.B, path string, n int) {
	s := benchSpec(b, path)
	b.ReportAllocs()
	living := 0
	for b.Loop() {
		for ; living < n; living++ {
			begin(b, s)
		}
		living -= len(reapAll(b, 1))
	}
	reapAll(b, living)
}

// openMany opens n descriptors for the time of the benchmark.
func openMany(tb testing.TB, n int) {
	tb.Helper()
	null := devNull(tb)
	for range n {
		fd, err := unix.FcntlInt(uintptr(null), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = unix.Close(fd) })
	}
}

// tinyProgram writes a static program that ends with status 0 at once: an ELF
// header, one segment, and three instructions.
func tinyProgram(tb testing.TB) string {
	tb.Helper()
	if runtime.GOARCH != "amd64" {
		return "/bin/true"
	}
	const base, headers = 0x400000, 64 + 56
	code := []byte{0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05} // mov $60, %eax; xor %edi, %edi; syscall
	le := binary.LittleEndian
	elf := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	elf = le.AppendUint16(elf, 2)  // an executable
	elf = le.AppendUint16(elf, 62) // for x86-64
	elf = le.AppendUint32(elf, 1)
	for _, v := range []uint64{base + headers, 64, 0} { // entry, segments, no sections
		elf = le.AppendUint64(elf, v)
	}
	elf = le.AppendUint32(elf, 0)
	for _, v := range []uint16{64, 56, 1, 64, 0, 0} { // sizes and counts of headers
		elf = le.AppendUint16(elf, v)
	}
	elf = le.AppendUint32(elf, 1) // load
	elf = le.AppendUint32(elf, 5) // read and execute
	size := uint64(headers + len(code))
	for _, v := range []uint64{0, base, base, size, size, 0x1000} {
		elf = le.AppendUint64(elf, v)
	}
	path := filepath.Join(tb.TempDir(), "tiny")
	if err := os.WriteFile(path, append(elf, code...), 0o755); err != nil {
		tb.Fatal(err)
	}
	return path
}
