package control

import (
	"context"
	"fmt"
	"testing"

	"github.com/brood-project/brood/internal/scoreboard"
)

// largePicture is one of many services, as they are after a day of work.
func largePicture(services int) *scoreboard.Picture {
	p := testPicture()
	one := p.Services[0]
	for _, h := range []*scoreboard.Histogram{&one.Wait, &one.Job} {
		for span := int64(1); span < 1e11; span *= 3 {
			h.Add(span)
		}
	}
	p.Services = nil
	for n := range services {
		one.Name, one.Key = fmt.Sprintf("service%d", n), fmt.Sprintf("service%d", n)
		p.Services = append(p.Services, one)
	}
	return p
}

func BenchmarkPicture(b *testing.B) {
	for _, services := range []int{1, 30, 5000} {
		b.Run(fmt.Sprint(services), func(b *testing.B) {
			picture := largePicture(services)
			path := b.TempDir() + "/control"
			s, err := Listen(path, Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			s.Serve(&handler{do: map[Verb]answering{VerbPicture: func(context.Context, *Request, func(any) error) (any, error) {
				return picture, nil
			}}})
			for b.Loop() {
				c, err := Dial(b.Context(), path)
				if err != nil {
					b.Fatal(err)
				}
				data, err := c.Stream(b.Context(), Request{Do: VerbPicture}, nil)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(data)))
				c.Close()
			}
		})
	}
}
