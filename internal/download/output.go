package download

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

const (
	// bufferSize is large enough for hashing beside reading to pay, and small enough for several downloads at once.
	bufferSize = 128 << 10
	// ringSize buffers, 2 MB, let reading go on while earlier ones are hashed, also when the hash has to wait for a core.
	ringSize = 16
)

// output writes content and hashes it at the same time.
type output struct {
	ctx      context.Context // the output lives as long as one call of Fetch
	w        io.Writer
	written  int64
	limit    int64 // zero for none
	progress func()
}

// copyFrom writes all of src and returns its SHA-256. Each buffer is hashed in another goroutine while this one writes it
// and reads the next: hashing alone takes as long as reading from a fast network.
func (o *output) copyFrom(src io.Reader) (string, error) {
	h := startHasher()
	defer h.stop()
	for {
		buffer := h.buffer()
		n, err := fill(src, buffer)
		h.add(buffer[:n])
		if n > 0 {
			if err := o.write(buffer[:n]); err != nil {
				return "", err
			}
		}
		if errors.Is(err, io.EOF) {
			return h.stop(), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// fill reads until the buffer is full or src ends or fails. TLS gives 16 KB at a time, and as many calls of the writer
// and the hash would cost more than the copying.
func fill(src io.Reader, buffer []byte) (n int, err error) {
	for n < len(buffer) && err == nil {
		var m int
		m, err = src.Read(buffer[n:])
		n += m
	}
	return n, err
}

// write passes on one piece, or nothing of it when it would exceed the limit. The context is looked at here as well as by
// the connection, because what a buffer of packed content unpacks to can be a hundred megabytes.
func (o *output) write(piece []byte) error {
	if err := o.ctx.Err(); err != nil {
		return err
	}
	if o.limit > 0 && o.written+int64(len(piece)) > o.limit {
		return fmt.Errorf("the content unpacks to more than the %d bytes allowed", o.limit)
	}
	n, err := o.w.Write(piece)
	o.written += int64(max(min(n, len(piece)), 0))
	if err == nil && n != len(piece) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return &writeError{err}
	}
	o.progress()
	return nil
}

// writeError marks a failure of the caller's writer.
type writeError struct{ err error }

// Error implements error.
func (e *writeError) Error() string { return "the content cannot be written: " + e.err.Error() }

// Unwrap returns the writer's error.
func (e *writeError) Unwrap() error { return e.err }

// hasher hashes buffers of a ring in its own goroutine.
type hasher struct {
	free, full chan []byte
	sum        hash.Hash
	done       chan struct{}
	stopped    bool
}

// startHasher starts the goroutine; stop ends it. Buffers are made when they are first needed, so a small download needs
// little.
func startHasher() *hasher {
	h := &hasher{free: make(chan []byte, ringSize), full: make(chan []byte, ringSize), sum: sha256.New(), done: make(chan struct{})}
	for range ringSize {
		h.free <- nil
	}
	go func() {
		defer close(h.done)
		for piece := range h.full {
			_, _ = h.sum.Write(piece) // a hash never fails
			h.free <- piece[:cap(piece)]
		}
	}()
	return h
}

// buffer waits for a buffer that is hashed already. The caller has written it before it asks for another one.
func (h *hasher) buffer() []byte {
	if b := <-h.free; b != nil {
		return b
	}
	return make([]byte, bufferSize)
}

// add gives a filled buffer to the hash. It may be read, but not changed, until it comes back.
func (h *hasher) add(piece []byte) { h.full <- piece }

// stop ends the goroutine and returns the hash of everything added.
func (h *hasher) stop() string {
	if !h.stopped {
		h.stopped = true
		close(h.full)
		<-h.done
	}
	return hex.EncodeToString(h.sum.Sum(nil))
}
