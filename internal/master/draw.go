package master

import (
	"context"
	"errors"

	"github.com/brood-project/brood/internal/scoreboard"
)

// PictureOptions is what a picture is to show.
type PictureOptions struct {
	// Service is the name or the key of the service to show; "" shows all.
	// Several services may have one name.
	Service string
	// Workers has each worker shown.
	Workers bool
	// Memory has memory and CPU be read for the daemon and for each worker.
	Memory bool
}

// Picture draws what is known of the services at this moment.
func (m *Master) Picture(ctx context.Context, what PictureOptions) (*scoreboard.Picture, error) {
	return nil, errors.New("cannot draw a picture")
}

// Events is what has happened, the oldest first, but for what came up to the
// event with the number since. A gap in the numbers tells of events that are not
// kept any more.
func (m *Master) Events(ctx context.Context, since uint64) ([]scoreboard.Event, error) {
	return nil, errors.New("cannot tell events")
}

// Subscribe gives a channel that tells that there are new events since it was
// read last; cancel ends that. Whoever does not read it misses nothing that
// Events does not keep, and holds up nobody.
func (m *Master) Subscribe() (notify <-chan struct{}, cancel func()) {
	return make(chan struct{}, 1), func() {}
}

// Recorder is the flight recorder of the service with a name or a key: the last
// things that happened to it, the oldest first, and what brood did about each.
func (m *Master) Recorder(ctx context.Context, service string) ([]scoreboard.Entry, error) {
	return nil, errors.New("cannot read the recorder")
}
