package control

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brood-project/brood/internal/scoreboard"
)

// TestPicturesInPieces: a picture that goes out piece by piece is what it would
// be in one.
func TestPicturesInPieces(t *testing.T) {
	odd := testPicture()
	odd.Source = `a "services":null \"services\":null <b>` + "\n\x00\xff"
	odd.Services[0].Name = odd.Source
	none := testPicture()
	none.Services = []scoreboard.Service{}
	for name, picture := range map[string]*scoreboard.Picture{"one": testPicture(), "many": largePicture(500), "odd": odd, "none": none} {
		for _, role := range []Role{Read, Operate, Admin} {
			shown := picture
			if role < Operate {
				shown = Redact(picture)
			}
			l := line{V: 1, ID: 3, OK: true, More: true, Data: shown}
			var whole, pieces bytes.Buffer
			if err := newEncoder(&whole).Encode(l); err != nil {
				t.Fatal(err)
			}
			l.Data = picture
			if err := l.write(&pieces, role); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(whole.String(), pieces.String()); diff != "" {
				t.Errorf("%s for %s (-whole +pieces):\n%s", name, role, diff)
			}
			if strings.Count(pieces.String(), "\n") != 1 || !json.Valid(pieces.Bytes()) {
				t.Errorf("%s for %s is not one line of JSON", name, role)
			}
		}
	}
}

// TestNoPicture: a picture that is not there is no picture of nothing.
func TestNoPicture(t *testing.T) {
	var b bytes.Buffer
	if err := (line{V: 1, OK: true, Data: (*scoreboard.Picture)(nil)}).write(&b, Read); err != nil || b.String() != `{"v":1,"ok":true,"data":null}`+"\n" {
		t.Errorf("%s, %v", b.String(), err)
	}
}

// widest counts the bytes of the longest write.
type widest int

func (w *widest) Write(b []byte) (int, error) {
	*w = max(*w, widest(len(b)))
	return len(b), nil
}

// TestPiecesAreSmall: what is in memory at one time does not grow with the
// number of services.
func TestPiecesAreSmall(t *testing.T) {
	var w widest
	if err := (line{Data: largePicture(1000)}).write(&w, Read); err != nil || w > 2*pieceSize {
		t.Errorf("%d bytes at once, %v", w, err)
	}
}
