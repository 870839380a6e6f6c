// Package uploadclient sends the archive of a chart to a source of type Upload, and lists and deletes charts. It
// asks first whether the source has the archive, shows the progress, and continues after an interruption.
package uploadclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxAttempts is the number of requests for one archive without progress.
	maxAttempts = 5
	// maxMessageBytes bounds the response that becomes part of an error.
	maxMessageBytes = 2048
)

// Client uploads archives to one source.
type Client struct {
	// URL is the URL of the uploads of the source, with a trailing slash.
	URL string
	// Token is the token of an account that can create marketsources/upload.
	Token string
	HTTP  *http.Client
	// Progress is called with the number of bytes that were sent.
	Progress func(sent, total int)
	// Delay is the time before the first repetition of a request.
	Delay time.Duration
}

// Result is the result of an upload.
type Result int

const (
	// Created means that the chart is new.
	Created Result = iota
	// Unchanged means that the source had the same chart.
	Unchanged
)

// ResponseError is the response of the server to an upload that it does not accept.
type ResponseError struct {
	Status  int
	Message string
}

// Error returns the message of the server.
func (e *ResponseError) Error() string { return e.Message }

// IsTemporary reports whether the same request can succeed later.
func (e *ResponseError) IsTemporary() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	}
	return false
}

// Push uploads an archive with a file name.
func (c *Client) Push(ctx context.Context, file string, archive []byte) (Result, error) {
	sum := sha256.Sum256(archive)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	// An error is reported by the upload.
	if known, err := c.Has(ctx, file, digest); err == nil && known {
		return Unchanged, nil
	}
	target := c.targetOf(file, digest)
	offset, furthest, attempts := 0, 0, 0
	for {
		result, next, err := c.pushFrom(ctx, target, archive, offset)
		refused, isResponse := errors.AsType[*ResponseError](err)
		switch {
		case err == nil && next == len(archive):
			return result, nil
		case isResponse && !refused.IsTemporary(), ctx.Err() != nil:
			return result, err
		case next > furthest: // Less than before is no progress, even if the server lost a part.
			furthest, attempts = next, 0
		}
		if attempts++; attempts > maxAttempts {
			return result, errors.Join(err, fmt.Errorf("the upload did not complete after %d attempts", maxAttempts))
		}
		offset = next
		if err := waitFor(ctx, c.Delay<<(attempts-1)); err != nil {
			return result, err
		}
		if found, err := c.receivedBytes(ctx, target, len(archive)); err == nil {
			offset = found
		}
	}
}

// pushFrom sends an archive from an offset, and returns how many bytes the server has then.
func (c *Client) pushFrom(ctx context.Context, target string, archive []byte, offset int) (Result, int, error) {
	part := fmt.Sprintf("bytes %d-%d/%d", offset, len(archive)-1, len(archive))
	if offset == len(archive) {
		part = fmt.Sprintf("bytes */%d", len(archive))
	}
	got, err := c.sendRequest(ctx, http.MethodPut, target, &progressReader{content: archive, at: offset, report: c.Progress}, part)
	return resultOf(got, err, offset, len(archive))
}

// PushPart sends a part of an archive of which the source has the bytes before offset, and returns how many bytes it
// has then. An empty part only asks for that. The archive is complete if it has all bytes.
func (c *Client) PushPart(ctx context.Context, file, digest string, part []byte, offset, total int) (Result, int, error) {
	contentRange, content := fmt.Sprintf("bytes */%d", total), (*progressReader)(nil)
	if len(part) > 0 {
		contentRange, content = fmt.Sprintf("bytes %d-%d/%d", offset, offset+len(part)-1, total), &progressReader{content: part}
	}
	got, err := c.sendRequest(ctx, http.MethodPut, c.targetOf(file, digest), content, contentRange)
	return resultOf(got, err, offset, total)
}

// resultOf returns the result of a request that sends a part of an archive, and how many bytes the server has.
func resultOf(got answer, err error, offset, total int) (Result, int, error) {
	switch {
	case err != nil:
		return Created, offset, err
	case got.status == http.StatusCreated:
		return Created, total, nil
	case got.status == http.StatusOK:
		return Unchanged, total, nil
	case got.status == http.StatusPermanentRedirect, got.status == http.StatusRequestedRangeNotSatisfiable:
		return Created, min(got.received, total), nil
	}
	return Created, offset, &ResponseError{Status: got.status, Message: got.message}
}

// receivedBytes asks the server how many bytes of an archive it has.
func (c *Client) receivedBytes(ctx context.Context, target string, total int) (int, error) {
	got, err := c.sendRequest(ctx, http.MethodPut, target, nil, fmt.Sprintf("bytes */%d", total))
	switch {
	case err != nil:
		return 0, err
	case got.status == http.StatusPermanentRedirect:
		return min(got.received, total), nil
	case got.status == http.StatusOK, got.status == http.StatusCreated:
		return total, nil
	}
	return 0, &ResponseError{Status: got.status, Message: got.message}
}

// answer is the part of a response that a client needs.
type answer struct {
	status, received int
	message          string
}

func (c *Client) sendRequest(ctx context.Context, method, target string, content *progressReader, part string) (answer, error) {
	var body io.Reader
	if content != nil {
		body = content
	}
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return answer{}, err
	}
	if content != nil {
		request.ContentLength = int64(len(content.content) - content.at)
		if request.ContentLength == 0 {
			request.Body = http.NoBody
		}
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	if part != "" {
		request.Header.Set("Content-Range", part)
	}
	return c.readAnswer(request, maxMessageBytes)
}

// sendLimited sends a request without content, and reads a response of a limited size.
func (c *Client) sendLimited(ctx context.Context, method, target string, limit int64) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	return c.readAnswer(request, limit)
}

// readAnswer sends a request, and reads the response up to a limit.
func (c *Client) readAnswer(request *http.Request, limit int64) (answer, error) {
	response, err := c.HTTP.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }() // It was read as far as needed.
	message, err := io.ReadAll(io.LimitReader(response.Body, limit))
	if err != nil {
		return answer{}, err
	}
	got := answer{status: response.StatusCode, message: strings.TrimSpace(string(message))}
	if got.message == "" {
		got.message = response.Status
	}
	if _, last, found := strings.Cut(response.Header.Get("Range"), "bytes=0-"); found {
		if n, err := strconv.ParseInt(last, 10, 32); err == nil && n >= 0 {
			got.received = int(n) + 1
		}
	}
	return got, nil
}

// progressReader reads content from an offset, and reports how much was read.
type progressReader struct {
	content []byte
	at      int
	report  func(sent, total int)
}

// Read returns the next bytes.
func (r *progressReader) Read(p []byte) (int, error) {
	n, err := bytes.NewReader(r.content[r.at:]).Read(p)
	r.at += n
	if r.report != nil && n > 0 {
		r.report(r.at, len(r.content))
	}
	return n, err
}

func waitFor(ctx context.Context, delay time.Duration) error {
	select {
	case <-time.After(delay):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// NewHTTPClient returns a client that does not follow redirects: an incomplete upload is answered with
// one, and the token is for one server only.
func NewHTTPClient(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
