package masterproto_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/brood-project/brood/masterproto"
)

// TestStatusIsThreeNativeIntegers holds the layout against one written by hand,
// so that Append and Parse cannot be wrong together.
func TestStatusIsThreeNativeIntegers(t *testing.T) {
	got := masterproto.AppendStatus([]byte("x"), masterproto.Status{
		PID: 0x01020304, Generation: 0xfffefdfc, State: masterproto.Available,
	})
	want := []byte{'x', 1, 2, 3, 4, 0xff, 0xfe, 0xfd, 0xfc, 0, 0, 0, 1}
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		want = []byte{'x', 4, 3, 2, 1, 0xfc, 0xfd, 0xfe, 0xff, 1, 0, 0, 0}
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("AppendStatus wrote % x, want % x", got, want)
	}
}

func TestParseStatusReturnsWhatWasAppended(t *testing.T) {
	for _, want := range []masterproto.Status{
		{PID: 1, Generation: 0, State: masterproto.Taken},
		{PID: math.MaxInt32, Generation: math.MaxUint32, State: masterproto.Available},
		{PID: -1, Generation: 1 << 31, State: masterproto.Taken},
	} {
		got, err := masterproto.ParseStatus(masterproto.AppendStatus(nil, want))
		if err != nil || got != want {
			t.Errorf("ParseStatus = %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestParseStatusRefuses(t *testing.T) {
	good := masterproto.AppendStatus(nil, masterproto.Status{PID: 7, Generation: 8})
	bad := masterproto.Status{PID: 7, Generation: 8, State: 2}
	for _, c := range []struct {
		name   string
		record []byte
		want   error
		status masterproto.Status
	}{
		{"nothing", nil, masterproto.ErrShort, masterproto.Status{}},
		{"one byte missing", good[:11], masterproto.ErrShort, masterproto.Status{}},
		{"one byte more", append(bytes.Clone(good), 0), masterproto.ErrLong, masterproto.Status{}},
		{"state 2", masterproto.AppendStatus(nil, bad), masterproto.ErrState, bad},
	} {
		got, err := masterproto.ParseStatus(c.record)
		if err != c.want || got != c.status {
			t.Errorf("%s: ParseStatus = %+v, %v; want %+v, %v", c.name, got, err, c.status, c.want)
		}
	}
}

func TestStatusDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, masterproto.StatusSize)
	if n := testing.AllocsPerRun(100, func() {
		buf = masterproto.AppendStatus(buf[:0], masterproto.Status{PID: 3, Generation: 9, State: masterproto.Available})
		if _, err := masterproto.ParseStatus(buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a record takes %v allocations, want none", n)
	}
}

func TestGenerationIsOctal(t *testing.T) {
	for _, c := range []struct {
		g uint32
		s string
	}{{0, "0"}, {7, "7"}, {8, "10"}, {math.MaxUint32, "37777777777"}} {
		if got := masterproto.FormatGeneration(c.g); got != c.s {
			t.Errorf("FormatGeneration(%d) = %q, want %q", c.g, got, c.s)
		}
		if got, err := masterproto.ParseGeneration(c.s); err != nil || got != c.g {
			t.Errorf("ParseGeneration(%q) = %d, %v; want %d", c.s, got, err, c.g)
		}
	}
	for _, s := range []string{"", "8", "-1", "+1", " 1", "0o7", "0x1", "1_0", "40000000000"} {
		if g, err := masterproto.ParseGeneration(s); !errors.Is(err, masterproto.ErrGeneration) {
			t.Errorf("ParseGeneration(%q) = %d, %v; want ErrGeneration", s, g, err)
		}
	}
}

func TestStateNames(t *testing.T) {
	for s, want := range map[masterproto.State]string{
		masterproto.Taken: "taken", masterproto.Available: "available", -3: "state -3",
	} {
		if s.String() != want {
			t.Errorf("State(%d).String() = %q, want %q", int32(s), s, want)
		}
	}
}

// FuzzParseStatus: whatever a child writes, the parser answers with a record
// that says the same bytes again or with exactly one of its three errors.
func FuzzParseStatus(f *testing.F) {
	f.Add(masterproto.AppendStatus(nil, masterproto.Status{PID: 1, Generation: 2, State: masterproto.Taken}))
	f.Add(masterproto.AppendStatus(nil, masterproto.Status{PID: 1, Generation: 2, State: 77}))
	f.Add([]byte("short"))
	f.Add([]byte("much too long for a record"))
	f.Fuzz(func(t *testing.T, record []byte) {
		s, err := masterproto.ParseStatus(record)
		switch {
		case len(record) < masterproto.StatusSize:
			if err != masterproto.ErrShort {
				t.Fatalf("%d bytes: %v, want ErrShort", len(record), err)
			}
			return
		case len(record) > masterproto.StatusSize:
			if err != masterproto.ErrLong {
				t.Fatalf("%d bytes: %v, want ErrLong", len(record), err)
			}
			return
		}
		legal := s.State == masterproto.Taken || s.State == masterproto.Available
		if legal != (err == nil) || (err != nil && err != masterproto.ErrState) {
			t.Fatalf("state %d: error %v", int32(s.State), err)
		}
		if again := masterproto.AppendStatus(nil, s); !bytes.Equal(again, record) {
			t.Fatalf("% x was read as %+v, which is % x", record, s, again)
		}
	})
}

// FuzzParseGeneration: what is accepted is spelled the same again, but for
// leading zeros.
func FuzzParseGeneration(f *testing.F) {
	f.Add("17")
	f.Add("0007")
	f.Add("37777777777")
	f.Add("-1")
	f.Fuzz(func(t *testing.T, s string) {
		g, err := masterproto.ParseGeneration(s)
		if err != nil {
			if !errors.Is(err, masterproto.ErrGeneration) {
				t.Fatalf("%q: %v does not wrap ErrGeneration", s, err)
			}
			return
		}
		short := bytes.TrimLeft([]byte(s), "0")
		if len(short) == 0 {
			short = []byte("0")
		}
		if got := masterproto.FormatGeneration(g); got != string(short) {
			t.Fatalf("%q was read as %d, which is spelled %q", s, g, got)
		}
	})
}
