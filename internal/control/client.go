package control

import (
	"context"
	"encoding/json"
	"errors"
)

// Client is the operator's end, for one request after another.
type Client struct{}

// Dial connects to the server at path.
func Dial(ctx context.Context, path string) (*Client, error) {
	return nil, errors.New("cannot reach brood: not built yet")
}

// Do sends a request and decodes its answer into into, unless that is nil. What
// the server refuses is an *Error. The context's deadline bounds the wait.
func (c *Client) Do(ctx context.Context, req Request, into any) error {
	return errors.New("not built yet")
}

// Stream sends a request and calls each with the data of every line but the
// last one, which it returns. An error of each ends it, and the connection.
func (c *Client) Stream(ctx context.Context, req Request, each func(json.RawMessage) error) (json.RawMessage, error) {
	return nil, errors.New("not built yet")
}

// Close hangs up.
func (c *Client) Close() error { return nil }
