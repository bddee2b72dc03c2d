package native

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/brood-project/brood/internal/plan"
)

// kind is a type of value.
type kind struct {
	// title heads the column of the manual.
	title string
	// wants completes "… wants".
	wants string
}

// The kinds. They are pointers so that keys can be told apart by them.
var (
	kindFlag      = &kind{"true or false", "true or false"}
	kindCount     = &kind{"whole number", "a whole number"}
	kindFactor    = &kind{"number", "a number"}
	kindTime      = &kind{"time", `a time with its unit, such as "60s" or "1h30m"`}
	kindEvery     = &kind{"time", `a time with its unit, such as "60s" or "60s?"`}
	kindSize      = &kind{"size", `a size, such as "512M" or "2G"`}
	kindText      = &kind{"text", "text in quotes"}
	kindName      = &kind{"name", "a name in quotes"}
	kindPath      = &kind{"path", "a path in quotes"}
	kindChoice    = &kind{"word", "one of its words, in quotes"}
	kindSignal    = &kind{"signal", `the name of a signal, such as "TERM"`}
	kindMask      = &kind{"octal number in quotes", `an octal number in quotes, such as "027"`}
	kindLogTo     = &kind{"word or path", `"stdout", "stderr", "syslog", "journal", "discard" or the path of a file`}
	kindList      = &kind{"list of texts", "a list of texts in quotes"}
	kindAddresses = &kind{"list of addresses", "a list of addresses"}
	kindCommand   = &kind{"list of texts", "a list: the program, then each argument"}
	kindPaths     = &kind{"path or list of paths", "a path or a list of paths"}
	kindInstances = &kind{"list of names, or range", "a list of names, or { from = 1, to = 9 }"}
	kindEnv       = &kind{"table of texts", `a table of texts, such as { NAME = "value" }`}
	kindLimit     = &kind{"limit", `a number, a size, "unlimited", or two of them as "SOFT:HARD"`}
)

// decode turns a node into the key's value, or reports what is wrong with it
// and returns false.
func (k *key) decode(r *report, n *node) (value, bool) {
	switch k.kind {
	case kindFlag:
		return decodeFlag(r, k, n)
	case kindCount:
		return decodeCount(r, k, n)
	case kindFactor:
		return decodeFactor(r, k, n)
	case kindTime, kindEvery:
		return decodeTime(r, k, n)
	case kindSize:
		return decodeSize(r, k, n)
	case kindChoice:
		return decodeChoice(r, k, n)
	case kindSignal:
		return decodeSignal(r, k, n)
	case kindMask:
		return decodeMask(r, k, n)
	case kindLogTo:
		return decodeLogTo(r, k, n)
	case kindList, kindAddresses:
		return decodeList(r, k, n)
	case kindCommand:
		return decodeCommand(r, k, n)
	case kindPaths:
		return decodePaths(r, k, n)
	case kindInstances:
		return decodeInstances(r, k, n)
	case kindEnv:
		return decodeEnv(r, k, n)
	case kindLimit:
		return decodeLimit(r, k, n)
	}
	return decodeText(r, k, n)
}

// wrongType reports a value of another type than the key's.
func wrongType(r *report, k *key, n *node) (value, bool) {
	if n.kind == unstable.Invalid {
		return value{}, false // told already
	}
	a := r.errorf(n.at, "%s is %s, and wants %s", k.name, typeName(n), k.wants())
	if k.choices != nil {
		a.instead("write one of them")
		return value{}, false
	}
	a.instead("write %s = %s", lastPart(k.name), suggestion(k, n))
	return value{}, false
}

func (k *key) wants() string {
	if k.choices != nil {
		return quotedList(k.choices)
	}
	return k.kind.wants
}

// suggestion is the value that was most likely meant.
func suggestion(k *key, n *node) string {
	written := n.at.text()
	scalar := len(n.items) == 0 && n.kind != unstable.Table && n.kind != unstable.Array && !strings.Contains(written, "\n")
	switch {
	case !scalar:
	case k.zero != "" && slices.Contains(noneWords, strings.ToLower(n.text)):
		return quoted(k.zero)
	case k.kind == kindTime || k.kind == kindEvery:
		if n.kind == unstable.Integer {
			return quoted(written + "s")
		}
	case k.kind == kindCount || k.kind == kindFactor:
		if _, err := strconv.ParseFloat(n.text, 64); err == nil && n.kind == unstable.String {
			return n.text
		}
	case n.kind == unstable.Integer && k.kind == kindSize:
		return quoted(written + "M")
	case n.kind == unstable.Integer && k.kind == kindMask:
		return quoted("0" + strings.TrimLeft(strings.TrimPrefix(written, "0o"), "0+-"))
	case n.kind == unstable.Integer && (k.kind == kindName || k.kind == kindText):
		return quoted(written)
	case k.kind == kindFlag:
		if slices.Contains([]string{"true", "yes", "on", "1"}, strings.ToLower(n.text)) {
			return "true"
		}
		return "false"
	case k.kind == kindCommand && n.kind == unstable.String:
		return commandFor(n.text)
	case (k.kind == kindList || k.kind == kindAddresses || k.kind == kindInstances) && n.kind == unstable.String:
		return "[" + written + "]"
	}
	return k.shown()
}

// commandFor splits a command line into a list, or hands it to a shell where
// it uses one.
func commandFor(line string) string {
	if strings.ContainsAny(line, "|&;<>()$`\\\"'*?~") {
		return fmt.Sprintf(`["sh", "-c", %s]`, strconv.Quote(line))
	}
	words := strings.Fields(line)
	for i, w := range words {
		words[i] = strconv.Quote(w)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

func typeName(n *node) string {
	switch n.kind {
	case unstable.String:
		return "text"
	case unstable.Integer:
		return "a number"
	case unstable.Float:
		return "a decimal number"
	case unstable.Bool:
		return n.text
	case unstable.Array:
		return "a list"
	case unstable.Table:
		return "a table"
	}
	return "a date"
}

func lastPart(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// badValue reports text of the right type that means nothing to the key.
func badValue(r *report, k *key, n *node, why string) (value, bool) {
	shown := k.shown()
	if k.zero == "" && strings.EqualFold(n.text, "never") {
		why = "there is no \"never\" for it"
	}
	if guess := guessValue(k, n.text); guess != "" {
		shown = quoted(guess)
	}
	r.errorf(n.at, "%s wants %s: %s", k.name, k.kind.wants, why).
		instead("write %s = %s", lastPart(k.name), shown)
	return value{}, false
}

// inRange holds a number to the key's bounds; format tells it in its unit.
func inRange(r *report, k *key, n *node, num int64, format func(int64) string) bool {
	if k.min == 0 && k.max == 0 || num >= k.min && num <= k.max {
		return true
	}
	a := r.errorf(n.at, "%s = %s is out of range", k.name, n.at.text())
	if num == 0 && k.zero != "" {
		a.instead("write %s = %s", lastPart(k.name), quoted(k.zero))
		return false
	}
	more := ""
	if k.zero != "" {
		more = ", or " + quoted(k.zero)
	}
	a.instead("write a value from %s to %s%s", format(k.min), format(k.max), more)
	return false
}

// isZero recognizes the word that stands for none.
func isZero(k *key, n *node) bool {
	return k.zero != "" && n.kind == unstable.String && n.text == k.zero
}

func decodeFlag(r *report, k *key, n *node) (value, bool) {
	if n.kind != unstable.Bool {
		return wrongType(r, k, n)
	}
	return value{at: n.at, flag: n.text == "true"}, true
}

func decodeCount(r *report, k *key, n *node) (value, bool) {
	if isZero(k, n) {
		return value{at: n.at}, true
	}
	if n.kind != unstable.Integer {
		return wrongType(r, k, n)
	}
	num, err := strconv.ParseInt(strings.ReplaceAll(n.text, "_", ""), 0, 64)
	if err != nil {
		num = math.MaxInt64
	}
	decimal := func(i int64) string { return strconv.FormatInt(i, 10) }
	return value{at: n.at, num: num}, inRange(r, k, n, num, decimal)
}

func decodeFactor(r *report, k *key, n *node) (value, bool) {
	if n.kind != unstable.Integer && n.kind != unstable.Float {
		return wrongType(r, k, n)
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(n.text, "_", ""), 64)
	if err != nil || !(f >= float64(k.min) && f <= float64(k.max)) {
		r.errorf(n.at, "%s = %s is out of range", k.name, n.at.text()).
			instead("write a value from %d to %d", k.min, k.max)
		return value{}, false
	}
	return value{at: n.at, ratio: f}, true
}

// decodeTime reads a span; behind one of the kind every there may be a "?".
func decodeTime(r *report, k *key, n *node) (value, bool) {
	if isZero(k, n) {
		return value{at: n.at}, true
	}
	if n.kind != unstable.String {
		return wrongType(r, k, n)
	}
	text, onUse := n.text, false
	if k.kind == kindEvery {
		text, onUse = strings.CutSuffix(text, "?")
	}
	d, err := parseDuration(text)
	if err != nil {
		return badValue(r, k, n, err.Error())
	}
	format := func(i int64) string { return quoted(formatDuration(time.Duration(i))) }
	return value{at: n.at, num: int64(d), flag: onUse}, inRange(r, k, n, int64(d), format)
}

func decodeSize(r *report, k *key, n *node) (value, bool) {
	if isZero(k, n) {
		return value{at: n.at}, true
	}
	if n.kind != unstable.String {
		return wrongType(r, k, n)
	}
	num, err := parseSize(n.text)
	if err != nil {
		return badValue(r, k, n, err.Error())
	}
	format := func(i int64) string { return quoted(formatSize(i)) }
	return value{at: n.at, num: num}, inRange(r, k, n, num, format)
}

func decodeText(r *report, k *key, n *node) (value, bool) {
	if n.kind != unstable.String {
		return wrongType(r, k, n)
	}
	if !soundText(r, k, n) {
		return value{}, false
	}
	return value{at: n.at, text: n.text}, true
}

// soundText refuses what no system call takes: nothing, too much, and NUL.
func soundText(r *report, k *key, n *node) bool {
	switch {
	case n.text == "" && k.kind != kindEnv && k.kind != kindCommand:
		r.errorf(n.at, "%s is empty", k.name).instead("write %s, or leave the key out", k.shown())
	case strings.IndexByte(n.text, 0) >= 0:
		r.errorf(n.at, "%s holds a NUL character, which no program can be given", k.name).instead("leave it out")
	case len(n.text) > wordBytesMax:
		r.errorf(n.at, "%s is longer than %d bytes, the most that Linux takes", k.name, wordBytesMax).instead("put it into a file")
	default:
		return true
	}
	return false
}

func decodeChoice(r *report, k *key, n *node) (value, bool) {
	if n.kind != unstable.String {
		return wrongType(r, k, n)
	}
	i := slices.Index(k.choices, n.text)
	if i < 0 {
		a := r.errorf(n.at, "%s = %s is not known", k.name, quoted(n.text))
		if near := r.closest(n.text, k.choices); near != "" {
			a.instead("write %s", quoted(near))
		} else {
			a.instead("write %s", quotedList(k.choices))
		}
		return value{}, false
	}
	return value{at: n.at, text: n.text, num: int64(i)}, true
}

func quotedList(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = quoted(w)
	}
	return listOf(q, "or")
}

func decodeSignal(r *report, k *key, n *node) (value, bool) {
	if n.kind != unstable.String {
		return wrongType(r, k, n)
	}
	name := strings.TrimPrefix(n.text, "SIG")
	num, ok := signals[name]
	if !ok {
		a := r.errorf(n.at, "%s is no signal that ends a worker", quoted(n.text))
		if _, ok := signals[strings.TrimPrefix(strings.ToUpper(n.text), "SIG")]; ok {
			a.instead("write %s", quoted(strings.TrimPrefix(strings.ToUpper(n.text), "SIG")))
		} else {
			a.instead("write %s", quotedList(signalNames))
		}
		return value{}, false
	}
	return value{at: n.at, num: int64(num)}, true
}

func decodeMask(r *report, k *key, n *node) (value, bool) {
	if n.kind != unstable.String {
		return wrongType(r, k, n)
	}
	mode, err := parseMode(n.text)
	if err != nil || mode > 0o777 {
		return badValue(r, k, n, quoted(n.text)+" is none")
	}
	return value{at: n.at, num: int64(mode)}, true
}

var logWords = []string{plan.OutputStdout, plan.OutputStderr, plan.OutputSyslog, plan.OutputJournal, plan.OutputDiscard}

func decodeLogTo(r *report, k *key, n *node) (value, bool) {
	if n.kind != unstable.String {
		return wrongType(r, k, n)
	}
	path := strings.HasPrefix(n.text, "/") || strings.HasPrefix(n.text, "{runtime}/")
	if !soundText(r, k, n) {
		return value{}, false
	}
	if !path && !slices.Contains(logWords, n.text) {
		a := r.errorf(n.at, "%s = %s is neither a path from / on nor a known word", k.name, quoted(n.text))
		if near := r.closest(n.text, logWords); near != "" {
			a.instead("write %s", quoted(near))
		} else {
			a.instead("write %s, or a path such as %s", quotedList(logWords), quoted("/var/log/"+strings.TrimLeft(n.text, "./")))
		}
		return value{}, false
	}
	return value{at: n.at, text: n.text}, true
}
