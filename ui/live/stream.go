package live

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const (
	// maxTopics is the number of topics of a stream.
	maxTopics = 64
	// heartbeat is the time between two comments that keep the connection open.
	heartbeat = 20 * time.Second
	// reviewInterval is the time after which the rights of the user are reviewed again.
	reviewInterval = 60 * time.Second
	// writeTimeout bounds the time that a page takes to read.
	writeTimeout = 10 * time.Second
	// streamAge and streamSpread bound the life of a stream, so that it connects again.
	streamAge, streamSpread = 12 * time.Minute, 6 * time.Minute
)

// Reasons for which the server ends a stream. The event closed has one of them.
const (
	reasonDisplaced = "displaced"
	reasonEnded     = "ended"
	reasonShutdown  = "shutdown"
)

// Allowed reports whether the user of a stream may follow a topic. An error ends the stream; if
// apierrors.IsUnauthorized is true for it, the page does not connect again.
type Allowed func(ctx context.Context, topic Topic) (bool, error)

// stream is an open connection of a page.
type stream struct {
	session string
	topics  map[Topic]struct{}
	// since is the time at which the page was read, zero if the page reads its data after the connection.
	since time.Time
	wake  chan struct{}
	ended chan struct{}

	mu     sync.Mutex
	marked map[Topic]time.Time
	sent   map[Topic]time.Time
	reason string
}

// markTopic notes that a topic has changed and wakes the stream.
func (s *stream) markTopic(topic Topic, now time.Time) {
	s.mu.Lock()
	if _, known := s.marked[topic]; !known {
		s.marked[topic] = now
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *stream) endWith(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == "" {
		s.reason = reason
		close(s.ended)
	}
}

// takeDue returns the marked topics whose time has come, and the time of the next one.
func (s *stream) takeDue(now time.Time) (due []Topic, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, marked := range s.marked {
		at := marked.Add(settleTime)
		if earliest := s.sent[topic].Add(topic.minInterval()); earliest.After(at) {
			at = earliest
		}
		if !at.After(now) {
			due = append(due, topic)
			delete(s.marked, topic)
			s.sent[topic] = now
		} else if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return due, next
}

// Serve sends the signals of the topics of a request until the page closes the stream, beginning with the
// changes since the page was read. Topics that the user may not follow are left out without a message.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, session string, topics []Topic, since time.Time, allowed Allowed) {
	if len(topics) == 0 || len(topics) > maxTopics {
		http.Error(w, fmt.Sprintf("from 1 to %d topics are possible", maxTopics), http.StatusBadRequest)
		return
	}
	s := &stream{
		session: session, since: since, topics: map[Topic]struct{}{}, wake: make(chan struct{}, 1), ended: make(chan struct{}),
		marked: map[Topic]time.Time{}, sent: map[Topic]time.Time{},
	}
	for _, topic := range topics {
		ok, err := allowed(r.Context(), topic)
		if err != nil {
			http.Error(w, "the rights could not be reviewed", http.StatusServiceUnavailable)
			return
		}
		if ok {
			s.topics[topic] = struct{}{}
		}
	}
	if !h.addStream(s) {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many streams are open", http.StatusServiceUnavailable)
		return
	}
	defer h.removeStream(s)
	control := http.NewResponseController(w)
	// The time limit of the server for reading a request would end the stream.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		http.Error(w, "streams are not supported", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	h.sendSignals(r.Context(), &writer{w: w, control: control}, s, allowed)
}

// writer writes events, each within a time limit.
type writer struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (w *writer) write(text string) error {
	if err := w.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := w.w.Write([]byte(text)); err != nil {
		return err
	}
	return w.control.Flush()
}

func (h *Hub) sendSignals(ctx context.Context, w *writer, s *stream, allowed Allowed) {
	beat, review := time.NewTicker(heartbeat), time.NewTicker(reviewInterval)
	defer beat.Stop()
	defer review.Stop()
	life := time.NewTimer(streamAge + rand.N(streamSpread))
	defer life.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	if w.write(": open\n\n") != nil {
		return
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-life.C:
			return
		case <-s.ended:
			_ = w.write(closingEvent(s.reason)) // The stream ends in any case.
			return
		case <-beat.C:
			err = w.write(": beat\n\n")
		case <-review.C:
			err = h.reviewTopics(ctx, w, s, allowed)
		case <-s.wake:
			err = flushDue(w, s, due)
		case <-due.C:
			err = flushDue(w, s, due)
		}
		if err != nil {
			return
		}
	}
}

// flushDue sends the signals that are due, and sets the timer for the next ones.
func flushDue(w *writer, s *stream, timer *time.Timer) error {
	now := time.Now()
	topics, next := s.takeDue(now)
	if !next.IsZero() {
		timer.Reset(next.Sub(now))
	}
	if len(topics) == 0 {
		return nil
	}
	var events strings.Builder
	for _, topic := range topics {
		fmt.Fprintf(&events, "event: %s\ndata:\n\n", topic.Signal())
	}
	return w.write(events.String())
}

// reviewTopics drops the topics that the user may not follow any more.
func (h *Hub) reviewTopics(ctx context.Context, w *writer, s *stream, allowed Allowed) error {
	for topic := range s.topics {
		ok, err := allowed(ctx, topic)
		if apierrors.IsUnauthorized(err) {
			_ = w.write(closingEvent(reasonEnded)) // The stream ends in any case.
		}
		if err != nil {
			return err
		}
		if !ok {
			h.dropTopic(s, topic)
		}
	}
	return nil
}

// closingEvent returns the event that ends a stream. A page connects again after a shutdown, each
// after another time.
func closingEvent(reason string) string {
	if reason == reasonShutdown {
		return fmt.Sprintf("retry: %d\nevent: shutdown\ndata:\n\n", 1000+rand.IntN(9000))
	}
	return "event: closed\ndata: " + reason + "\n\n"
}
