// Brood is the operator's command: it shows what brood does, and puts broodd
// in the place of Postfix's master and takes it away again. Each noun of the
// command line has a file here; commands.go names them all.
//
// Exit status: 0 done, 1 failed, 2 usage.
package main

import "os"

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }
