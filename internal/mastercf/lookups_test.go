package mastercf

import (
	"net/netip"
	"slices"
	"testing"
)

// TestSystemLookups asks this machine what every machine with Postfix knows.
func TestSystemLookups(t *testing.T) {
	k := Lookups{}.orSystem()
	loopback := netip.MustParseAddr("127.0.0.1")
	if own, err := k.Interfaces(); err != nil || !slices.Contains(own, loopback) {
		t.Errorf("interfaces are %v, %v", own, err)
	}
	if addrs, err := k.Host("localhost"); err != nil || !slices.Contains(addrs, loopback) {
		t.Errorf("localhost is %v, %v", addrs, err)
	}
	if port, err := k.Port("smtp"); err != nil || port != 25 {
		t.Errorf("smtp is port %d, %v", port, err)
	}
	if uid, gid, err := k.User("postfix"); err != nil || uid == 0 || gid == 0 {
		t.Errorf("postfix is user %d, group %d, %v", uid, gid, err)
	}
	if _, _, err := k.User("no such user"); err == nil {
		t.Error("a user that does not exist is found")
	}
}

// TestDefaultsAreAskedOnce holds what postconf says against the built-in table,
// which is Debian's too.
func TestDefaultsAreAskedOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("the short tests need neither root nor Postfix")
	}
	first := Printed(postconf(t, "-d"))
	for name, value := range builtin {
		asked, known := first.lookup(name)
		if name != "mail_version" && name != "mydomain" && (!known || asked != value) {
			t.Errorf("postconf -d has %s = %q, the table has %q", name, asked, value)
		}
	}
	if v, ok := first.lookup("interfaces"); ok {
		t.Errorf("a part of a name has a value: %q", v)
	}
	calls := 0
	_, diagnostics := loadTexts(t, t.TempDir(), "", "", func(o *Options) {
		o.DefaultsFrom = func() (Printed, error) { calls++; return first, nil }
	})
	if calls != 1 || diagnostics.Failed() {
		t.Errorf("asked %d times, %v", calls, diagnostics)
	}
}
