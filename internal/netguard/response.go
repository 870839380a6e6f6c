package netguard

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// MaxRetryAfter bounds how long a server can keep us from asking again.
const MaxRetryAfter = time.Hour

// RetryAfter reads the header of RFC 9110, seconds or a date, up to MaxRetryAfter; zero if
// it says nothing of use.
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

// ErrTooLarge says that a body is larger than it may be.
var ErrTooLarge = errors.New("the answer is too large")

// ReadBody reads the whole body of an answer. It fails with ErrTooLarge if that is more
// than the limit, and then reads no further.
func ReadBody(response *http.Response, limit int64) ([]byte, error) {
	if response.ContentLength > limit && response.Request != nil && response.Request.Method != http.MethodHead {
		return nil, ErrTooLarge
	}
	return io.ReadAll(LimitBody(response.Body, limit))
}

// Bound returns a body that fails with ErrTooLarge where it goes on for longer than the
// limit.
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
