package blackbox
import "strings"
var hostileRows []row
var differences []difference
func fieldsOf(s string) []string { return strings.Fields(s) }
