package nofile

import "testing"

func TestRestore(t *testing.T) {
	for _, c := range []struct {
		name      string
		born, now Limit
		want      bool
	}{
		{"raised by Go", Limit{1024, 4096}, Limit{4095, 4096}, true},
		{"set by ourselves", Limit{1024, 4096}, Limit{4096, 4096}, false},
		{"hard limit lowered", Limit{1024, 4096}, Limit{2047, 2048}, false},
		{"never raised", Limit{4096, 4096}, Limit{4096, 4096}, false},
		{"one below from birth", Limit{4095, 4096}, Limit{4095, 4096}, false},
		{"unknown", Limit{}, Limit{4095, 4096}, false},
	} {
		if got, ok := restore(c.born, c.now); ok != c.want || ok && got != c.born {
			t.Errorf("%s: %v %t, want %t", c.name, got, ok, c.want)
		}
	}
}

func TestBorn(t *testing.T) {
	if l, ok := Born(); !ok || l.Soft == 0 || l.Soft > l.Hard {
		t.Errorf("born with %v %t", l, ok)
	}
}
