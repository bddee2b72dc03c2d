package postfix

import (
	"os"
	"regexp"
	"strings"

	"github.com/brood-project/brood/internal/await"
)

// mark is the present end of the log, to look for what comes after.
func (in *instance) mark() int64 {
	info, err := os.Stat(in.logs)
	if err != nil {
		return 0
	}
	return info.Size()
}

// since is what was logged after a mark.
func (in *instance) since(mark int64) string {
	text, err := os.ReadFile(in.logs)
	if err != nil || int64(len(text)) < mark {
		return ""
	}
	return string(text[mark:])
}

// await waits for a log line that matches and returns it, with the groups of
// the expression after it.
func (in *instance) await(mark int64, expression string) []string {
	in.Helper()
	pattern := regexp.MustCompile(`(?m)^.*` + expression + `.*$`)
	var found []string
	await.That(in, "the log to say "+expression, func() bool {
		found = pattern.FindStringSubmatch(in.since(mark))
		return found != nil
	})
	return found
}

// logged tells whether a line that matches has been logged since a mark.
func (in *instance) logged(mark int64, expression string) bool {
	return regexp.MustCompile(`(?m)` + expression).MatchString(in.since(mark))
}

// tail is the end of the log.
func (in *instance) tail(lines int) string {
	all := strings.Split(strings.TrimRight(in.since(0), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
