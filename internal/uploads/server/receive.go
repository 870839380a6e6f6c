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

// body reads the body of a request with deadlines of its own: the deadlines of the server are for
// requests without a body. A client that stops sending, or that sends too slowly, is disconnected.
type body struct {
	from       io.Reader
	controller *http.ResponseController
	end        time.Time
	idle       time.Duration

	mu      sync.Mutex
	aborted bool
	// isComplete reports whether the body was read to its end.
	isComplete bool
}

func (h *handler) newBody(w http.ResponseWriter, r *http.Request) *body {
	return &body{from: r.Body, controller: http.NewResponseController(w), end: time.Now().Add(uploadTimeout), idle: h.idle}
}

// replaceDeadlines replaces the deadlines of the server.
func (b *body) replaceDeadlines() error {
	// The server reads from the connection while a chart is checked, to notice that the client has
	// left, and cancels the request if that exceeds a deadline.
	return errors.Join(b.controller.SetReadDeadline(time.Time{}), b.controller.SetWriteDeadline(b.end.Add(responseTimeout)))
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
		b.mu.Lock()
		b.isComplete = true
		b.mu.Unlock()
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

// isReceiving reports whether the body is still being read.
func (b *body) isReceiving() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.aborted && !b.isComplete
}

// receiveContent appends the body of a request to a session, which do uses before and after that. The
// session is kept if it was neither completed nor discarded.
func (h *handler) receiveContent(w http.ResponseWriter, r *http.Request, in request, open sessionOpener, do func(*uploads.Session, *body) *problem) *problem {
	if r.ContentLength > chart.MaxArchiveBytes {
		return tooLarge
	}
	content := h.newBody(w, r)
	held := h.slots.tryAcquire(in.owner.Namespace, content)
	if held == nil {
		return tooManyUploads
	}
	defer h.slots.releaseSlot(held)
	if err := content.replaceDeadlines(); err != nil {
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
