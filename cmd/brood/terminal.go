package main

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/brood-project/brood/cmd/brood/view"
)

const (
	// columnsUsual is the width where there is no terminal to ask, columnsLeast
	// the narrowest that anything is drawn for.
	columnsUsual = 80
	columnsLeast = 40
)

// screenOf is how wide the output is and how it wants to be drawn. COLUMNS
// decides where it is set, so that pipes can be wide.
func screenOf(out io.Writer) view.Look {
	ours := lookOf(out)
	look := view.Look{Width: columnsUsual, Color: ours.Color, Unicode: ours.Unicode}
	if f, ok := out.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			look.Width, look.Height = int(size.Col), int(size.Row)
		}
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		look.Width = n
	}
	look.Width = max(look.Width, columnsLeast)
	return look
}
