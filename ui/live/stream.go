package live

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxTopics is the number of topics of a stream.
	maxTopics = 64
	// heartbeat is the time between two comments that keep the connection open.
	heartbeat = 20 * time.Second
	// reviewInterval is the time after which the rights of the user are reviewed again.
	reviewInterval = 60 * time.Second
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

// Request is what a page requests of a stream.
type Request struct {
	// Session is the session of the user, and User the name of the user.
	Session, User string
	Topics        []Topic
	// Since is the time at which the page was read, zero if the page reads its data after the connection.
	Since time.Time
	// Until is the time at which the credential of the user ends, zero if that is not known. The page then connects
	// again.
	Until time.Time
	// Allowed reviews the rights of the user. It must not refer to the HTTP request, which would be kept.
	Allowed Allowed
	// Log reports panics.
	Log logr.Logger
}

// stream is an open connection of a page.
type stream struct {
	session      string
	user         string
	topics       map[Topic]struct{}
	since, until time.Time
	allowed      Allowed
	log          logr.Logger
	wake         chan struct{}
	ended        chan struct{}

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
// Serve can return before the stream ends.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, request Request) {
	if len(request.Topics) == 0 || len(request.Topics) > maxTopics {
		http.Error(w, fmt.Sprintf("from 1 to %d topics are possible", maxTopics), http.StatusBadRequest)
		return
	}
	s := newStream(request)
	for _, topic := range request.Topics {
		ok, err := s.allowed(r.Context(), topic)
		if err != nil {
			if r.Context().Err() == nil {
				s.log.Error(err, "Cannot review the rights of a stream")
			}
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
	response := newResponse(w)
	// The time limit of the server for reading a request would end the stream.
	if err := response.SetReadDeadline(time.Time{}); err != nil {
		h.removeStream(s)
		http.Error(w, "streams are not supported", http.StatusInternalServerError)
		return
	}
	if response.open(r.ProtoMajor) != nil {
		h.removeStream(s)
		return
	}
	h.serveStream(r.Context(), response, s)
}

func newStream(request Request) *stream {
	return &stream{
		session: request.Session, user: request.User, topics: map[Topic]struct{}{}, since: request.Since, until: request.Until, allowed: request.Allowed,
		log: request.Log, wake: make(chan struct{}, 1), ended: make(chan struct{}), marked: map[Topic]time.Time{}, sent: map[Topic]time.Time{},
	}
}

// age returns the time for which a stream is open at most.
func (s *stream) age(now time.Time) time.Duration {
	age := streamAge + rand.N(streamSpread)
	if s.until.IsZero() {
		return age
	}
	return min(age, s.until.Sub(now))
}

// sendSignals sends the signals of a stream until the context is done or the stream ends.
func (h *Hub) sendSignals(ctx context.Context, c connection, s *stream) error {
	beat, review := time.NewTicker(heartbeat), time.NewTicker(reviewInterval)
	defer beat.Stop()
	defer review.Stop()
	life := time.NewTimer(s.age(time.Now()))
	defer life.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-life.C:
			return nil
		case <-s.ended:
			return writeEvents(c, closingEvent(s.reason))
		case <-beat.C:
			err = writeEvents(c, ": beat\n\n")
		case <-review.C:
			err = h.reviewTopics(ctx, c, s)
		case <-s.wake:
			err = sendDue(c, s, due)
		case <-due.C:
			err = sendDue(c, s, due)
		}
		if err != nil {
			return err
		}
	}
}

// sendDue sends the signals that are due, and sets the timer for the next ones.
func sendDue(c connection, s *stream, timer *time.Timer) error {
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
	return writeEvents(c, events.String())
}

// reviewTopics drops the topics that the user may not follow any more. The reviews run in a goroutine of their
// own, because they need a large stack, which the goroutine of a stream would keep until the next garbage collections.
func (h *Hub) reviewTopics(ctx context.Context, c connection, s *stream) error {
	var group errgroup.Group
	group.Go(outcome.Guarded(func() error {
		for topic := range s.topics {
			ok, err := s.allowed(ctx, topic)
			if err != nil {
				return err
			}
			if !ok {
				h.dropTopic(s, topic)
			}
		}
		return nil
	}))
	err := group.Wait()
	if apierrors.IsUnauthorized(err) {
		_ = writeEvents(c, closingEvent(reasonEnded)) // The stream ends in any case.
	}
	return err
}

// closingEvent returns the event that ends a stream. A page connects again after a shutdown, each
// after another time.
func closingEvent(reason string) string {
	if reason == reasonShutdown {
		return fmt.Sprintf("retry: %d\nevent: shutdown\ndata:\n\n", 1000+rand.IntN(9000))
	}
	return "event: closed\ndata: " + reason + "\n\n"
}
