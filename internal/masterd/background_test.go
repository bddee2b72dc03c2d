package masterd

import (
	"os"
	"strconv"
	"testing"
)

// TestReadyVariableOfOthers: one that does not name the process which has started
// us leaves all descriptors alone.
func TestReadyVariableOfOthers(t *testing.T) {
	for _, value := range []string{"", "0", "3", "7", "-3", "99999999999", strconv.Itoa(os.Getpid())} {
		t.Setenv(readyVariable, value)
		if fd := background(); fd != -1 {
			t.Errorf("%q: descriptor %d", value, fd)
		}
		if _, still := os.LookupEnv(readyVariable); still {
			t.Errorf("%q: children would see it", value)
		}
	}
}
