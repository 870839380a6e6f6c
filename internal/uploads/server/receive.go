package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/uploads"
)

const (
	// maxUploads is the number of uploads at the same time, and maxNamespaceUploads the number to
	// the sources of one namespace.
	maxUploads, maxNamespaceUploads = 16, 4
	// uploadTimeout is the time for one request, and idleTimeout the time between two reads. An
	// upload that takes longer can be resumed.
	uploadTimeout = 5 * time.Minute
	idleTimeout   = 20 * time.Second
	// responseTimeout is the time for checking a chart and for sending the response.
	responseTimeout = 3 * time.Minute
)

// slots limits the uploads at the same time.
type slots struct {
	limit, namespaceLimit int

	mu         sync.Mutex
	total      int
	namespaces map[string]int
}

func newSlots(limit, namespaceLimit int) *slots {
	return &slots{limit: limit, namespaceLimit: namespaceLimit, namespaces: map[string]int{}}
}

// tryAcquire takes a slot, and reports whether one was free.
func (s *slots) tryAcquire(namespace string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= s.limit || s.namespaces[namespace] >= s.namespaceLimit {
		return false
	}
	s.total++
	s.namespaces[namespace]++
	return true
}

func (s *slots) releaseSlot(namespace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.namespaces[namespace]--; s.namespaces[namespace] == 0 {
		delete(s.namespaces, namespace)
	}
}

// body reads the body of a request with deadlines of its own: the deadlines of the server are for
// requests without a body. A client that stops sending, or that sends too slowly, is disconnected.
type body struct {
	from       io.Reader
	controller *http.ResponseController
	end        time.Time
	idle       time.Duration

	mu      sync.Mutex
	aborted bool
}

func (h *handler) newBody(w http.ResponseWriter, r *http.Request) (*body, error) {
	b := &body{from: r.Body, controller: http.NewResponseController(w), end: time.Now().Add(uploadTimeout), idle: h.idle}
	// The server reads from the connection while a chart is checked, to notice that the client has
	// left, and cancels the request if that exceeds a deadline.
	return b, errors.Join(b.controller.SetReadDeadline(time.Time{}), b.controller.SetWriteDeadline(b.end.Add(responseTimeout)))
}

// Read reads the next bytes.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	err := errAborted
	if !b.aborted {
		deadline := time.Now().Add(b.idle)
		if deadline.After(b.end) {
			deadline = b.end
		}
		err = b.controller.SetReadDeadline(deadline)
	}
	b.mu.Unlock()
	if err != nil {
		return 0, err
	}
	n, err := b.from.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.controller.SetReadDeadline(time.Time{}) // The content is complete.
	}
	return n, err
}

var errAborted = errors.New("another request continues the upload")

// abortReading makes the current and all later reads fail.
func (b *body) abortReading() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.aborted = true
	_ = b.controller.SetReadDeadline(time.Unix(1, 0)) // A connection that is closed is not read either.
}

// receiveContent appends the body of a request to a session, which do uses before and after that. The
// session is kept if it was neither completed nor discarded.
func (h *handler) receiveContent(w http.ResponseWriter, r *http.Request, in request, open sessionOpener, do func(*uploads.Session, *body) *problem) *problem {
	if r.ContentLength > chart.MaxArchiveBytes {
		return tooLarge
	}
	if !h.slots.tryAcquire(in.owner.Namespace) {
		return tooManyUploads
	}
	defer h.slots.releaseSlot(in.owner.Namespace)
	content, err := h.newBody(w, r)
	if err != nil {
		return unavailable
	}
	session, err := open(r.Context(), content.abortReading)
	if err != nil {
		return toProblem(err)
	}
	failed := do(session, content)
	if err := session.Close(); err != nil && failed == nil {
		return toProblem(err)
	}
	return failed
}

// sessionOpener starts or resumes a session.
type sessionOpener func(ctx context.Context, abort func()) (*uploads.Session, error)
