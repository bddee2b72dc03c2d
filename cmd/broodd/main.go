// Broodd is the daemon of brood: it owns the listening sockets and gives birth
// to workers when clients wait.
//
// Under the name of master it is Postfix's master(8), with that command's
// options, files and log lines. Under any other name it takes brood's own.
//
// It links the standard library, golang.org/x/sys and what is listed in
// testdata/broodd-dependencies.txt, because it runs as root: no net/http, no
// metrics, no page. Those are a worker's.
package main

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/brood-project/brood/internal/masterd"
)

// threadsMost is how many threads run Go code at the same time. One is enough
// for a loop that waits for nothing, and from a client's arrival to the birth
// no other thread has to be woken up; a birth itself holds none, see
// internal/child. Every further one costs memory, on every machine.
const threadsMost = 1

func main() {
	runtime.GOMAXPROCS(threadsMost)
	if filepath.Base(os.Args[0]) == "master" {
		os.Exit(masterd.Main(os.Args, version))
	}
	os.Exit(nativeMain(os.Args))
}
