package main

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/cmd/brood/view"
)

// columnsUsual is the width where there is no terminal to ask.
const columnsUsual = 80

// screenOf is how wide the output is and how it wants to be drawn. COLUMNS
// decides where it is set, so that pipes can be wide.
func screenOf(out io.Writer) view.Look {
	look := lookOf(out)
	return view.Look{Width: columnsOf(out), Color: look.Color, Unicode: look.Unicode}
}

func columnsOf(out io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return max(n, 40)
	}
	if f, ok := out.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			return max(int(size.Col), 40)
		}
	}
	return columnsUsual
}
