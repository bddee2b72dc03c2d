package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The numbers that a turn of births gives.
const (
	latency = "latency" // milliseconds from connect to first byte, the median
	rate    = "rate"    // births a second
)

// births has clients served at a socket, several at a time, and returns
// latency and rate.
func (t *tools) births(socket string, count, clients int) (measures, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, t.client, socket, strconv.Itoa(count), strconv.Itoa(clients)).Output()
	if err != nil {
		return nil, fmt.Errorf("%d clients, %d at a time: %w", count, clients, err)
	}
	var nanoseconds []float64
	for word := range strings.FieldsSeq(string(out)) {
		n, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, err
		}
		nanoseconds = append(nanoseconds, n)
	}
	if len(nanoseconds) != count+1 {
		return nil, fmt.Errorf("%d latencies of %d clients", len(nanoseconds)-1, count)
	}
	return measures{
		latency: median(nanoseconds[1:]) / 1e6,
		rate:    float64(count) / (nanoseconds[0] / 1e9),
	}, nil
}

// dial connects to a unix socket. It waits for a place in the queue.
func dial(socket string) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	limit := unix.NsecToTimeval(int64(patience))
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: socket})
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot connect to %s: %w", socket, err)
	}
	return fd, nil
}

// readByte waits for the one byte that a worker sends.
func readByte(fd int) error {
	var b [1]byte
	for {
		n, err := unix.Read(fd, b[:])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("cannot read from a worker: %w", err)
		case n == 0:
			return fmt.Errorf("a worker has left its client without an answer")
		default:
			return nil
		}
	}
}

// served tells whether a client at a socket gets its byte.
func served(socket string) bool {
	fd, err := dial(socket)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return readByte(fd) == nil
}

// flood has a worker send this many status records and returns how long that
// took.
func flood(fd, records int) (time.Duration, error) {
	begun := time.Now()
	if _, err := unix.Write(fd, binary.NativeEndian.AppendUint64(nil, uint64(records))); err != nil {
		return 0, err
	}
	err := readByte(fd)
	return time.Since(begun), err
}
