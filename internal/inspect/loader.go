package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// loadable looks at what the kernel and the dynamic loader need for a program.
func (in *inspection) loadable(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	head := make([]byte, 256) // The kernel looks no further (BINPRM_BUF_SIZE).
	n, _ := f.ReadAt(head, 0)
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		in.script(path, head[2:])
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		in.binary(path)
	case n > 0:
		in.wrong("program", path+" is neither a program nor a script that begins with #!.", "")
	default:
		in.wrong("program", path+" is empty.", "")
	}
}

// script looks at the interpreter that the first line names.
func (in *inspection) script(path string, head []byte) {
	first, _, _ := bytes.Cut(head, []byte("\n"))
	words := strings.Fields(string(first))
	if len(words) == 0 {
		in.wrong("interpreter", "The first line of "+path+" names no interpreter.", "")
		return
	}
	if strings.HasSuffix(words[0], "\r") || bytes.Contains(first, []byte("\r")) {
		in.wrong("interpreter", "The first line of "+path+" ends with a carriage return, as files from Windows do.", "Remove it: sed -i 's/\\r$//' "+path+".")
		return
	}
	interpreter := words[0]
	if _, err := os.Stat(interpreter); os.IsNotExist(err) {
		in.wrong("interpreter", "The interpreter "+interpreter+" of "+path+" does not exist.", "Install it, or correct the first line of "+path+".")
		return
	}
	if filepath.Base(interpreter) == "env" && len(words) > 1 && !strings.HasPrefix(words[1], "-") {
		if _, err := exec.LookPath(words[1]); err != nil {
			in.wrong("interpreter", "The interpreter "+words[1]+" of "+path+" is not in this command's PATH.", "Install "+words[1]+", or write its whole path into the first line.")
		}
		return
	}
	in.binary(interpreter)
}

// librariesMost bounds how many are looked at.
const librariesMost = 500

// binary looks for the loader that an ELF file names, and for all the shared
// libraries that it needs, and those that they need.
func (in *inspection) binary(path string) {
	type need struct{ library, by string }
	var todo []need
	seen, cache := map[string]bool{}, loaderCache()
	open := func(path string, first bool) {
		f, err := elf.Open(path)
		if err != nil {
			return
		}
		defer f.Close()
		if first && !in.loader(f, path) {
			return
		}
		dirs := searchPath(f, path)
		names, _ := f.ImportedLibraries()
		for _, name := range names {
			if seen[name] || len(seen) > librariesMost {
				continue
			}
			seen[name] = true
			if at := findLibrary(name, dirs, cache); at != "" {
				todo = append(todo, need{at, path})
			} else {
				in.wrong("library", fmt.Sprintf("The shared library %s, which %s needs, is not found.", name, path),
					"Install the package that has "+name+", or set LD_LIBRARY_PATH in env.")
			}
		}
	}
	open(path, true)
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		open(next.library, false)
	}
}

// loader looks at the program's own interpreter; false if it is not there.
func (in *inspection) loader(f *elf.File, path string) bool {
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		b := make([]byte, min(p.Filesz, 4096))
		if _, err := p.ReadAt(b, 0); err != nil {
			return true
		}
		name := strings.TrimRight(string(b), "\x00")
		if _, err := os.Stat(name); os.IsNotExist(err) {
			in.wrong("interpreter", "The loader "+name+" that "+path+" was built for does not exist.",
				"Install the C library that "+path+" was built for, or a program built for this machine.")
			return false
		}
	}
	return true
}

// usualDirs are where the loaders of glibc and musl look when nothing else is
// said.
var usualDirs = []string{
	"/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib",
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
}

// searchPath is where a file has its libraries looked for first.
func searchPath(f *elf.File, path string) []string {
	var dirs []string
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		values, _ := f.DynString(tag)
		for _, v := range values {
			for _, dir := range filepath.SplitList(v) {
				origin := filepath.Dir(path)
				dirs = append(dirs, strings.NewReplacer("$ORIGIN", origin, "${ORIGIN}", origin).Replace(dir))
			}
		}
	}
	return dirs
}

func findLibrary(name string, dirs []string, cache map[string]string) string {
	if strings.Contains(name, "/") {
		if exists(name) {
			return name
		}
		return ""
	}
	if at := cache[name]; at != "" && exists(at) {
		return at
	}
	for _, dir := range append(dirs, usualDirs...) {
		if at := filepath.Join(dir, name); exists(at) {
			return at
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// The format of /etc/ld.so.cache, see dl-cache.h of glibc: a header, entries of
// a fixed size, and strings at offsets from the beginning.
const (
	cacheMagic  = "glibc-ld.so.cache1.1"
	cacheHeader = 48
	cacheEntry  = 24
)

// loaderCache is where the loader of glibc has found libraries; empty where
// there is no such cache.
func loaderCache() map[string]string {
	all := map[string]string{}
	b := []byte(readText("/etc/ld.so.cache"))
	if len(b) < cacheHeader || !bytes.HasPrefix(b, []byte(cacheMagic)) {
		return all
	}
	n := int(binary.NativeEndian.Uint32(b[len(cacheMagic):]))
	for i := range n {
		at := cacheHeader + i*cacheEntry
		if at+cacheEntry > len(b) {
			break
		}
		key, value := binary.NativeEndian.Uint32(b[at+4:]), binary.NativeEndian.Uint32(b[at+8:])
		if name := textAt(b, key); name != "" && all[name] == "" {
			all[name] = textAt(b, value)
		}
	}
	return all
}

func textAt(b []byte, at uint32) string {
	if uint64(at) >= uint64(len(b)) {
		return ""
	}
	text, _, _ := bytes.Cut(b[at:], []byte{0})
	return string(text)
}
