package live

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/ui/kube"
)

var (
	list   = Topic{Resource: kube.Instances, Namespace: "demo"}
	object = Topic{Resource: kube.Instances, Namespace: "demo", Name: "wiki"}
	change = kube.Change{Resource: kube.Instances, Namespace: "demo", Name: "wiki"}
)

func allowAll(context.Context, Topic) (bool, error) { return true, nil }

// serveHub serves a hub; the query parameter session names the session, and user the user, which is otherwise another
// one for each session.
func serveHub(t *testing.T, h *Hub, allowed Allowed) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var topics []Topic
		for _, text := range r.URL.Query()["t"] {
			topic, err := ParseTopic(text)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			topics = append(topics, topic)
		}
		since, _ := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since")) // Without it, the time is zero.
		session := r.URL.Query().Get("session")
		user := cmp.Or(r.URL.Query().Get("user"), session)
		h.Serve(w, r, Request{Session: session, User: user, Topics: topics, Since: since, Allowed: allowed})
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// connect opens a stream and returns its lines. The channel is closed when the stream ends.
func connect(t *testing.T, server *httptest.Server, session string, topics ...Topic) <-chan string {
	t.Helper()
	query := url.Values{"session": {session}}
	for _, topic := range topics {
		query.Add("t", topic.String())
	}
	join := "?"
	if strings.Contains(server.URL, join) {
		join = "&"
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+join+query.Encode(), nil)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	response, err := http.DefaultClient.Do(request)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(response.StatusCode).To(Equal(http.StatusOK))
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		defer response.Body.Close()
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	NewWithT(t).Eventually(lines).Should(Receive(Equal(": open")))
	return lines
}

func TestChangesAreSignaled(t *testing.T) {
	g := NewWithT(t)
	h := NewHub(10)
	server := serveHub(t, h, allowAll)
	lines := connect(t, server, "a", list, object)
	other := connect(t, server, "b", Topic{Resource: kube.Instances, Namespace: "other"})
	begun := time.Now()
	for range 1000 {
		h.Notify(change)
	}
	received := []string{}
	g.Eventually(func() []string {
		select {
		case line := <-lines:
			received = append(received, line)
		default:
		}
		return received
	}, "10s").Should(ContainElements("event: "+list.Signal(), "event: "+object.Signal()))
	g.Expect(time.Since(begun)).To(BeNumerically(">=", settleTime-10*time.Millisecond), "changes are gathered")
	g.Expect(strings.Join(received, "")).NotTo(ContainSubstring("wiki"), "a stream has no names of objects")
	g.Consistently(other, "500ms").ShouldNot(Receive(HavePrefix("event")))
}

func TestSignalsHaveAnInterval(t *testing.T) {
	g := NewWithT(t)
	now := time.Now()
	s := &stream{wake: make(chan struct{}, 1), marked: map[Topic]time.Time{}, sent: map[Topic]time.Time{}}
	s.markTopic(list, now)
	s.markTopic(object, now)
	due, next := s.takeDue(now)
	g.Expect(due).To(BeEmpty())
	g.Expect(next).To(Equal(now.Add(settleTime)))
	due, next = s.takeDue(now.Add(settleTime))
	g.Expect(due).To(ConsistOf(list, object))
	g.Expect(next.IsZero()).To(BeTrue())
	at := now.Add(settleTime)
	s.markTopic(list, at)
	s.markTopic(object, at)
	due, next = s.takeDue(at.Add(objectInterval))
	g.Expect(due).To(ConsistOf(object))
	g.Expect(next).To(Equal(at.Add(listInterval)))
}

// TestStreamThatDoesNotReadUsesNoQueue marks a stream that is not served.
func TestStreamThatDoesNotReadUsesNoQueue(t *testing.T) {
	g := NewWithT(t)
	h := NewHub(10)
	s := &stream{
		session: "a", topics: map[Topic]struct{}{list: {}}, wake: make(chan struct{}, 1), ended: make(chan struct{}),
		marked: map[Topic]time.Time{}, sent: map[Topic]time.Time{},
	}
	g.Expect(h.addStream(s)).To(BeTrue())
	for i := range 10000 {
		h.Notify(kube.Change{Resource: kube.Instances, Namespace: "demo", Name: fmt.Sprint(i)})
	}
	g.Expect(s.marked).To(HaveLen(1))
	h.dropStream(s)
	h.removeStream(s)
	g.Expect(h.count).To(BeZero())
	g.Expect(h.streams).To(BeEmpty())
	g.Expect(h.sessions).To(BeEmpty())
	g.Expect(h.users).To(BeEmpty())
}

func TestOldestStreamOfASessionIsDisplaced(t *testing.T) {
	g := NewWithT(t)
	server := serveHub(t, NewHub(100), allowAll)
	first := connect(t, server, "a", list)
	other := connect(t, server, "b", list)
	for range maxSessionStreams {
		connect(t, server, "a", list)
	}
	g.Eventually(first, "3s").Should(Receive(Equal("event: closed")))
	g.Eventually(first, "3s").Should(Receive(Equal("data: displaced")))
	g.Consistently(other, "300ms").ShouldNot(Receive(Equal("event: closed")))
}

// TestStreamsOfAUserAreLimited opens streams in many sessions of one user.
func TestStreamsOfAUserAreLimited(t *testing.T) {
	g := NewWithT(t)
	h := NewHub(100)
	server := serveHub(t, h, allowAll)
	other := connect(t, server, "b", list)
	server.URL += "/?user=jane"
	first := connect(t, server, "a", list)
	for i := range maxUserStreams {
		connect(t, server, fmt.Sprint("a", i), list)
	}
	g.Eventually(first, "3s").Should(Receive(Equal("event: closed")))
	g.Eventually(first, "3s").Should(Receive(Equal("data: displaced")))
	g.Consistently(other, "300ms").ShouldNot(Receive(Equal("event: closed")))
	h.mu.Lock()
	defer h.mu.Unlock()
	g.Expect(h.users["jane"]).To(HaveLen(maxUserStreams))
	g.Expect(h.count).To(Equal(maxUserStreams + 1))
}

func TestStreamsAreLimited(t *testing.T) {
	g := NewWithT(t)
	h := NewHub(2)
	server := serveHub(t, h, allowAll)
	connect(t, server, "a", list)
	last := connect(t, server, "b", list)
	response, err := http.Get(server.URL + "?t=" + url.QueryEscape(list.String()))
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	g.Expect(response.StatusCode).To(Equal(http.StatusServiceUnavailable))
	g.Expect(response.Header.Get("Retry-After")).NotTo(BeEmpty())
	h.Close()
	g.Eventually(last, "3s").Should(Receive(HavePrefix("retry: ")))
	g.Eventually(last, "3s").Should(BeClosed())
}

func TestRightsAreReviewedAgain(t *testing.T) {
	g := NewWithT(t)
	h := NewHub(10)
	var revoked atomic.Bool
	allowed := func(_ context.Context, topic Topic) (bool, error) {
		if revoked.Load() {
			return false, apierrors.NewUnauthorized("the token is not valid")
		}
		return topic == list, nil
	}
	s := &stream{topics: map[Topic]struct{}{list: {}, object: {}}, allowed: allowed}
	h.streams[list] = map[*stream]struct{}{s: {}}
	h.streams[object] = map[*stream]struct{}{s: {}}
	w := httptest.NewRecorder()
	out := newResponse(deadlines{w})
	g.Expect(h.reviewTopics(t.Context(), out, s)).To(Succeed())
	g.Expect(h.streams[list]).To(HaveKey(s))
	g.Expect(h.streams[object]).NotTo(HaveKey(s), "the topic is dropped")
	g.Expect(w.Body.String()).To(BeEmpty(), "without a message")
	revoked.Store(true)
	g.Expect(h.reviewTopics(t.Context(), out, s)).NotTo(Succeed())
	g.Expect(w.Body.String()).To(ContainSubstring("event: closed\ndata: ended"))
	s.allowed = func(context.Context, Topic) (bool, error) { panic("review") }
	_, panicked := errors.AsType[*outcome.Panic](h.reviewTopics(t.Context(), out, s))
	g.Expect(panicked).To(BeTrue(), "a panic ends the stream and not the process")
}

// deadlines is a recorder that accepts time limits.
type deadlines struct{ *httptest.ResponseRecorder }

func (deadlines) SetWriteDeadline(time.Time) error { return nil }

func TestTopicsAreParsed(t *testing.T) {
	for text, valid := range map[string]bool{
		"appinstances/demo/wiki": true, "appinfos//": true, "marketsources/market/": true, "secrets/demo/": false, "appinfos": false,
		"appinfos//x": false, "appinfos/a/b/c": false, "appinfos/" + strings.Repeat("a", 500) + "/": false, "": false,
	} {
		topic, err := ParseTopic(text)
		NewWithT(t).Expect(err == nil).To(Equal(valid), text)
		if valid {
			NewWithT(t).Expect(topic.String()).To(Equal(text))
		}
	}
	NewWithT(t).Expect(list.Signal()).To(MatchRegexp("^t[0-9a-f]{10}$"))
}

// TestMissedChangesAreSignaled opens streams after changes.
func TestMissedChangesAreSignaled(t *testing.T) {
	start := time.Now().Add(-time.Hour)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	other := kube.Change{Resource: kube.Tasks, Namespace: "demo", Name: "wiki"}
	for _, c := range []struct {
		why     string
		since   time.Time
		changes int // of another kind, after the change of the instance
		marked  []Topic
	}{
		{"no time of the page", time.Time{}, 0, nil},
		{"changed after the page was read", at(99), 0, []Topic{list, object}},
		{"changed at the same time by another clock", at(100).Add(clockMargin / 2), 0, []Topic{list, object}},
		{"changed before the page was read", at(103), 0, nil},
		{"changed before the page was read, with changes of other kinds", at(103), 10, nil},
		{"read before the hub began", at(-1), 0, []Topic{list, object}},
		{"more changes than are remembered", at(103), 2 * maxRecent, []Topic{list, object}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			h := NewHub(10)
			h.recent.completeSince = start
			h.recent.add(change, at(100))
			for range c.changes {
				h.recent.add(other, at(200))
			}
			g.Expect(len(h.recent.entries)).To(BeNumerically("<=", maxRecent))
			s := &stream{topics: map[Topic]struct{}{list: {}, object: {}}, since: c.since, wake: make(chan struct{}, 1), marked: map[Topic]time.Time{}}
			g.Expect(h.addStream(s)).To(BeTrue())
			marked := []Topic{}
			for topic := range s.marked {
				marked = append(marked, topic)
			}
			g.Expect(marked).To(ConsistOf(c.marked))
		})
	}
}

func TestChangeBeforeTheConnectionIsSignaled(t *testing.T) {
	g := NewWithT(t)
	h := NewHub(10)
	h.recent.completeSince = time.Now().Add(-time.Hour)
	since := time.Now()
	h.Notify(change)
	server := serveHub(t, h, allowAll)
	server.URL += "?since=" + url.QueryEscape(since.Format(time.RFC3339Nano))
	lines := connect(t, server, "a", list)
	g.Eventually(lines, "3s").Should(Receive(Equal("event: " + list.Signal())))
}
