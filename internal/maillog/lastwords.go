package maillog

import (
	"bytes"
	"os"
	"strconv"
	"time"
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

// lastWordsIn searches the tail of the file, backwards.
func lastWordsIn(file string, pid int) string {
	f, err := os.Open(file)
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
