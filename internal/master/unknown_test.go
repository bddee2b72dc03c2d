package master

import (
	"errors"
	"testing"

	"github.com/brood-project/brood/internal/pool"
)

// TestUnknownNamesAreAnsweredAlike: whoever asks is told which services there are.
func TestUnknownNamesAreAnsweredAlike(t *testing.T) {
	w := start(t, serviceOf(t, "s", "obey", pool.Policy{Limit: 1}))
	_, drawn := w.m.Picture(within(t), PictureOptions{Service: "nobody"})
	_, recorded := w.m.Recorder(within(t), "nobody")
	changed := w.m.Pause(within(t), operator, "nobody")
	for _, err := range []error{drawn, recorded, changed} {
		if !errors.Is(err, ErrUnknown) || err.Error() != `there is no service "nobody"; there are s` {
			t.Error(err)
		}
	}
}

// TestAReloadOfNobodyIsNoRefusedReload: whoever mistypes a name is told so, and not
// everybody that the configuration has a fault.
func TestAReloadOfNobodyIsNoRefusedReload(t *testing.T) {
	s := serviceOf(t, "s", "obey", pool.Policy{Limit: 1})
	w := start(t, s)
	w.configure(s)
	if _, err := w.m.Reload(within(t), operator, "nobody"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	p, err := w.m.Picture(within(t), PictureOptions{})
	w.do(err)
	if p.Reload != nil {
		t.Errorf("the picture has a reload: %+v", p.Reload)
	}
}
