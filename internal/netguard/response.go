package netguard

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// MaxRetryAfter is the maximum delay that a server can request.
const MaxRetryAfter = time.Hour

// RetryAfter returns the delay in the header of RFC 9110, seconds or a date, up to
// MaxRetryAfter. It returns zero for a missing or invalid value.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(MaxRetryAfter/time.Second))) * time.Second
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(0, min(date.Sub(now), MaxRetryAfter))
}

// ErrTooLarge indicates that a body exceeds its limit.
var ErrTooLarge = errors.New("response is too large")

// ReadBody returns the whole body of a response, or ErrTooLarge if it exceeds the limit.
func ReadBody(response *http.Response, limit int64) ([]byte, error) {
	if response.ContentLength > limit && response.Request != nil && response.Request.Method != http.MethodHead {
		return nil, ErrTooLarge
	}
	return io.ReadAll(LimitBody(response.Body, limit))
}

// LimitBody returns a body that fails with ErrTooLarge after the limit.
func LimitBody(body io.ReadCloser, limit int64) io.ReadCloser {
	return &limitedBody{ReadCloser: body, left: limit}
}

type limitedBody struct {
	io.ReadCloser
	left int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}
