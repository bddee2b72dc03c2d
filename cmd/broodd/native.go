package main

import (
	"fmt"
	"os"
)

// version is set by the linker.
var version = "dev"

const help = `broodd is brood's daemon. Call it by the name of master for Postfix.

usage: broodd --demo DIR     serve the built-in demonstration below DIR
       broodd --version
       broodd --help
`

// nativeMain is broodd under its own name. It returns the exit status: 0 done,
// 1 failed, 2 usage.
func nativeMain(args []string) int {
	switch {
	case len(args) == 2 && args[1] == "--version":
		fmt.Println("broodd", version)
		return 0
	case len(args) == 2 && (args[1] == "--help" || args[1] == "-h"):
		fmt.Print(help)
		return 0
	}
	fmt.Fprint(os.Stderr, help)
	return 2
}
