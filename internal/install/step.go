package install

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// step is one thing to do. What is not to be undone has no undo.
type step struct {
	say  string
	do   func(context.Context) error
	undo func(context.Context) error
}

// carryOut does the steps in order. When one fails, those before it are undone,
// last to first. With dry it only says them.
func carryOut(ctx context.Context, out io.Writer, dry bool, steps []step) error {
	for i, s := range steps {
		fmt.Fprintf(out, "%d. %s\n", i+1, s.say)
		if dry {
			continue
		}
		err := ctx.Err()
		if err == nil {
			err = s.do(ctx)
		}
		if err != nil {
			return undo(context.WithoutCancel(ctx), out, steps[:i], err)
		}
	}
	return nil
}

// undo takes back what was done and returns the cause, with whatever could not
// be taken back.
func undo(ctx context.Context, out io.Writer, done []step, cause error) error {
	for i := len(done) - 1; i >= 0; i-- {
		if done[i].undo == nil {
			continue
		}
		fmt.Fprintf(out, "taking back %d. %s\n", i+1, done[i].say)
		if err := done[i].undo(ctx); err != nil {
			cause = errors.Join(cause, fmt.Errorf("cannot take back step %d: %w", i+1, err))
		}
	}
	return cause
}
