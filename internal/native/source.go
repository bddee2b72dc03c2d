package native

import (
	"bytes"
	"sort"

	"github.com/brood-project/brood/internal/plan"
)

// source is one file that was read, with the offsets at which its lines begin.
type source struct {
	file  string
	data  []byte
	lines []int
}

func newSource(file string, data []byte) *source {
	s := &source{file: file, data: data, lines: make([]int, 1, 1+bytes.Count(data, []byte{'\n'}))}
	for i, c := range data {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// pos turns an offset into a place; lines and columns count from 1.
func (s *source) pos(off int) plan.Pos {
	line := sort.SearchInts(s.lines, off+1)
	return plan.Pos{File: s.file, Line: line, Col: off - s.lines[line-1] + 1}
}

// lineEnd is the offset of the line break that ends the line of off, or the
// length of the file.
func (s *source) lineEnd(off int) int {
	if i := bytes.IndexByte(s.data[off:], '\n'); i >= 0 {
		return off + i
	}
	return len(s.data)
}

// span is a stretch of a source: from off up to, but without, end.
type span struct {
	src      *source
	off, end int
}

func (s span) pos() plan.Pos {
	if s.src == nil {
		return plan.Pos{}
	}
	return s.src.pos(s.off)
}

// text is what the operator wrote there.
func (s span) text() string {
	if s.src == nil {
		return ""
	}
	return string(s.src.data[s.off:s.end])
}

// inner narrows the span of a quoted string to length bytes from index i of
// its decoded text. It stays the whole string where escapes make the two
// differ.
func (s span) inner(decoded string, i, length int) span {
	if s.literal(decoded) {
		return span{s.src, s.off + 1 + i, s.off + 1 + i + length}
	}
	return s
}

// literal tells whether a quoted string has no escapes.
func (s span) literal(decoded string) bool {
	raw := s.src.data[s.off:s.end]
	return len(raw) == len(decoded)+2 && string(raw[1:len(raw)-1]) == decoded
}
