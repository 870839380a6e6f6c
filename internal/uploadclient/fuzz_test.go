package uploadclient

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// script responds with one of its statuses and ranges after the other.
type script struct {
	t        *testing.T
	statuses []byte
	ranges   []string
	body     string
	requests int
}

// possibleStatuses are the statuses that the client distinguishes, and one that it does not know.
var possibleStatuses = []int{
	http.StatusOK, http.StatusCreated, http.StatusNoContent, http.StatusPermanentRedirect, http.StatusRequestedRangeNotSatisfiable,
	http.StatusNotFound, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusFound, 999,
}

// RoundTrip implements http.RoundTripper.
func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "market.example.com" {
		s.t.Fatalf("a request is sent to %q", r.URL.Host)
	}
	if r.Body != nil {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil || r.ContentLength > 0 && n != r.ContentLength {
			s.t.Fatalf("the body has %d of %d bytes: %v", n, r.ContentLength, err)
		}
	}
	status := http.StatusOK
	if len(s.statuses) > 0 {
		status = possibleStatuses[int(s.statuses[s.requests%len(s.statuses)])%len(possibleStatuses)]
	}
	header := http.Header{"Range": {s.ranges[s.requests%len(s.ranges)]}, "Location": {"https://other.example.com/" + s.body}}
	s.requests++
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: header, Body: io.NopCloser(strings.NewReader(s.body)), Request: r,
	}, nil
}

// FuzzServer uploads to, lists and deletes from any server. The client sends requests to this server only, and
// ends after a limited number of them.
func FuzzServer(f *testing.F) {
	f.Add([]byte{5, 1}, "", "")
	f.Add([]byte{5, 3, 3, 1}, "bytes=0-1", "")
	f.Add([]byte{3}, "bytes=0-99999999999", "too many bytes")
	f.Add([]byte{3}, "bytes=0--7\nbytes=0-9223372036854775807", "")
	f.Add([]byte{5, 3}, "bytes=0-4\nbytes=0-1\nbytes=0-0", "back and forth")
	f.Add([]byte{0}, "", `{"charts":[{"file":"web-1.0.0.tgz","size":-1,"created":"2026-11-30T12:00:00Z"}]}`)
	f.Fuzz(func(t *testing.T, statuses []byte, ranges, body string) {
		const archive = "chart"
		server := &script{t: t, statuses: statuses, ranges: strings.Split(ranges, "\n"), body: body}
		client := &Client{URL: "https://market.example.com/upload/market/team/", Token: "secret-token", HTTP: NewHTTPClient(server)}
		client.Progress = func(sent, total int) {
			if sent < 0 || sent > total || total != len(archive) {
				t.Fatalf("%d of %d bytes were sent", sent, total)
			}
		}
		_, pushErr := client.Push(t.Context(), "web-1.0.0.tgz", []byte(archive))
		if limit := 1 + 2*(maxAttempts+1)*(len(archive)+1); server.requests > limit {
			t.Fatalf("%d requests are sent for one archive, at most %d are expected", server.requests, limit)
		}
		charts, listErr := client.List(t.Context())
		if listErr != nil && charts != nil {
			t.Fatalf("a list with an error has charts: %v", listErr)
		}
		for _, err := range []error{pushErr, listErr, client.Delete(t.Context(), "../web-1.0.0.tgz")} {
			if refused, ok := errors.AsType[*ResponseError](err); ok && len(refused.Message) > max(maxListBytes, maxMessageBytes) {
				t.Fatalf("the message has %d bytes", len(refused.Message))
			}
		}
	})
}
