package blackbox
import "strings"
var   endpointRows, commandRows, mainRows, logRows, hostileRows []row
var differences []difference
func fieldsOf(s string) []string { return strings.Fields(s) }
