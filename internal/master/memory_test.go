package master

import "testing"

func TestOnlyOurOwnUnwrittenPagesAreShed(t *testing.T) {
	const file = "/usr/lib/postfix/sbin/master"
	for line, want := range map[string]uintptr{
		"00400000-00586000 r-xp 00000000 fe:00 99 " + file + "\n":   0x186000,
		"00586000-00757000 r--p 00186000 fe:00 99 " + file + "\n":   0x1d1000,
		"00757000-00769000 rw-p 00357000 fe:00 99 " + file + "\n":   0,
		"00400000-00586000 r-xp 00000000 fe:00 99 /usr/bin/other\n": 0,
		"28359f000000-28359f400000 rw-p 00000000 00:00 0\n":         0,
		"7ffc4144a000-7ffc4146b000 r--p 00000000 00:00 0 [vvar]\n":  0,
		"": 0,
	} {
		if _, length, ok := readOnly(line, file); length != want || ok != (want != 0) {
			t.Errorf("%q: got %#x, %v; want %#x", line, length, ok, want)
		}
	}
}
