package maillog

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// How far back in the file, how long, and how often last words are looked for:
// a child logs through another process, so its death may be known first.
const (
	lastWordsTail  = 64 << 10
	lastWordsFor   = 600 * time.Millisecond
	lastWordsEvery = 50 * time.Millisecond
)

// lastWordsMax bounds what is quoted.
const lastWordsMax = 400

// LastWords finds the last "fatal:" or "panic:" line that the process pid wrote
// to the log file; "" if there is none shortly after it died. It takes up to
// lastWordsFor, and is not for a goroutine that must not wait.
func LastWords(file string, pid int, died time.Time) string {
	for {
		if words := lastWordsIn(file, pid); words != "" || time.Since(died) > lastWordsFor {
			return words
		}
		time.Sleep(lastWordsEvery)
	}
}

// reading lets one death at a time read the file: each takes a thread meanwhile,
// and a whole pool may have died at once.
var reading sync.Mutex

// openRegular opens a file that can be searched. A pipe, a terminal or a fifo
// would keep us waiting, or give us lines that somebody else is to read.
func openRegular(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		f.Close()
		return nil, errors.New("cannot search what is no regular file")
	}
	return f, nil
}

// lastWordsIn searches the tail of the file, backwards.
func lastWordsIn(file string, pid int) string {
	reading.Lock()
	defer reading.Unlock()
	f, err := openRegular(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	if end, err := f.Seek(0, 2); err == nil {
		_, _ = f.Seek(max(0, end-lastWordsTail), 0)
	}
	tail := make([]byte, lastWordsTail)
	n := 0
	for n < len(tail) {
		k, err := f.Read(tail[n:])
		n += k
		if err != nil || k == 0 {
			break
		}
	}
	mark := []byte("[" + strconv.Itoa(pid) + "]: ")
	for lines := tail[:n]; len(lines) > 0; {
		start := bytes.LastIndexByte(lines[:len(lines)-1], '\n') + 1
		line := bytes.TrimRight(lines[start:], "\n")
		lines = lines[:start]
		_, text, found := bytes.Cut(line, mark)
		if found && (bytes.HasPrefix(text, []byte("fatal: ")) || bytes.HasPrefix(text, []byte("panic: "))) {
			return strconv.Quote(string(text[:min(len(text), lastWordsMax)]))
		}
	}
	return ""
}
