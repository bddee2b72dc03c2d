package control

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"

	"github.com/brood-project/brood/internal/scoreboard"
)

// pieceSize is how much of a picture is encoded before it is written, in bytes.
const pieceSize = 64 << 10

// line is a Response with its data not yet encoded.
type line struct {
	V     int    `json:"v"`
	ID    uint64 `json:"id,omitempty"`
	OK    bool   `json:"ok"`
	More  bool   `json:"more,omitempty"`
	Data  any    `json:"data,omitempty"`
	Error *Error `json:"error,omitempty"`
}

// write encodes the line for a role. A picture goes out service by service: that
// of 5,000 has 5 MiB, which the daemon would keep long after.
func (l line) write(to io.Writer, role Role) error {
	picture, ok := l.Data.(*scoreboard.Picture)
	if !ok || picture == nil {
		return newEncoder(to).Encode(l)
	}
	top := *picture
	top.Services = nil
	l.Data = &top
	if role < Operate {
		l.Data = Redact(&top)
	}
	var frame bytes.Buffer
	if err := newEncoder(&frame).Encode(l); err != nil {
		return err
	}
	// In a string the quotes would have backslashes before them.
	before, after, found := bytes.Cut(frame.Bytes(), []byte(`"services":null`))
	if !found {
		return newEncoder(to).Encode(l)
	}
	pieces := bufio.NewWriterSize(to, pieceSize)
	_, _ = pieces.Write(before) // Flush tells of all that failed before
	_, _ = pieces.WriteString(`"services":[`)
	if err := writeServices(pieces, picture.Services, role); err != nil {
		return err
	}
	_ = pieces.WriteByte(']')
	_, _ = pieces.Write(after)
	return pieces.Flush()
}

// writeServices writes a list's elements.
func writeServices(to *bufio.Writer, services []scoreboard.Service, role Role) error {
	encoder := newEncoder(unended{to})
	for i := range services {
		if i > 0 {
			_ = to.WriteByte(',') // Encode fails as well then
		}
		service := services[i]
		if role < Operate {
			redactService(&service)
		}
		if err := encoder.Encode(&service); err != nil {
			return err
		}
	}
	return nil
}

// newEncoder makes one that leaves <, > and & as they are, for people.
func newEncoder(to io.Writer) *json.Encoder {
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	return encoder
}

// unended writes values without the newline that an Encoder puts behind each.
type unended struct{ to io.Writer }

func (u unended) Write(b []byte) (int, error) {
	n, err := u.to.Write(bytes.TrimSuffix(b, []byte("\n")))
	if err == nil {
		n = len(b)
	}
	return n, err
}
