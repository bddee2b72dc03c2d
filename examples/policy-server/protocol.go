package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// request is what smtpd says about a client: attributes by name.
type request map[string]string

// The bounds of a request. Postfix sends some thirty attributes of at most a
// few hundred bytes.
const (
	attributesMax = 200
	lineMax       = 8 << 10
)

// answerAll reads requests, each a line NAME=VALUE for every attribute and an
// empty line, and answers each with its action, until the client closes.
func answerAll(conn io.ReadWriter, decide func(request) string) error {
	in := bufio.NewReaderSize(conn, lineMax)
	for {
		r, err := readRequest(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(conn, "action=%s\n\n", decide(r)); err != nil {
			return fmt.Errorf("cannot answer: %w", err)
		}
	}
}

// readRequest returns io.EOF when the client closes between two requests.
func readRequest(in *bufio.Reader) (request, error) {
	r := request{}
	for range attributesMax {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 && len(r) == 0 {
			return nil, io.EOF
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read request: %w", err)
		}
		text := strings.TrimSuffix(string(line), "\n")
		if text == "" {
			return finished(r)
		}
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("cannot read request: want NAME=VALUE, not %q", text)
		}
		r[name] = value
	}
	return nil, errors.New("cannot read request: too many attributes")
}

func finished(r request) (request, error) {
	if got := r["request"]; got != "smtpd_access_policy" {
		return nil, fmt.Errorf("cannot answer request of type %q", got)
	}
	return r, nil
}
