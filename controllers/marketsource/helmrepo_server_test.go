package marketsource_test

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

// helmServers serves the shops by their host names.
type helmServers struct {
	mu    sync.Mutex
	count int
	shops map[string]*helmServer
}

// openServer creates a shop with a new host name.
func (d *helmServers) openServer() *helmServer {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shops == nil {
		d.shops = map[string]*helmServer{}
	}
	d.count++
	s := &helmServer{host: fmt.Sprintf("shop-%d.example.com", d.count), entries: map[string][]any{}}
	d.shops[s.host] = s
	return s
}

func (d *helmServers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	s := d.shops[r.Host]
	d.mu.Unlock()
	if s == nil {
		http.NotFound(w, r)
		return
	}
	s.ServeHTTP(w, r)
}

// helmServer is a Helm repository whose index is the only file that is requested.
type helmServer struct {
	host string

	mu            sync.Mutex
	entries       map[string][]any
	asked         []string
	failureStatus int
	retryAfter    string
	text          string
	tag           string
}

func (s *helmServer) baseURL() string { return "http://" + s.host }

// addVersions adds versions of an app to the index.
func (s *helmServer) addVersions(app string, versions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, version := range versions {
		s.entries[app] = append(s.entries[app], map[string]any{
			"apiVersion": "v2", "name": app, "version": version, "appVersion": "v" + version, "created": "2026-01-02T03:04:05Z",
			"digest": chart.Digest([]byte(app + version)), "urls": []string{app + "-" + version + ".tgz"},
		})
	}
}

// removeApp removes an app from the index.
func (s *helmServer) removeApp(app string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, app)
}

// setBody sets a response body instead of the index.
func (s *helmServer) setBody(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text
}

// setFailure sets the HTTP status of responses and optionally Retry-After. Status 0 restores the
// shop.
func (s *helmServer) setFailure(status int, after string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failureStatus, s.retryAfter = status, after
}

// takeResponses returns the responses since the last call: 200 for the complete index, 304 if it
// was not modified, and other statuses.
func (s *helmServer) takeResponses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

func (s *helmServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, text := s.responseFor(r)
	s.asked = append(s.asked, fmt.Sprint(status))
	w.Header().Set("ETag", etagFor(s.tag+text))
	if s.retryAfter != "" {
		w.Header().Set("Retry-After", s.retryAfter)
	}
	w.WriteHeader(status)
	if status == http.StatusOK {
		_, _ = w.Write([]byte(text))
	}
}

func (s *helmServer) responseFor(r *http.Request) (int, string) {
	text := s.text
	if text == "" {
		index, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "entries": s.entries})
		if err != nil {
			panic(err)
		}
		text = string(index)
	}
	switch {
	case s.failureStatus != 0:
		return s.failureStatus, text
	case r.Header.Get("If-None-Match") == etagFor(s.tag+text):
		return http.StatusNotModified, text
	}
	return http.StatusOK, text
}

// setTag changes the ETag of the unchanged index.
func (s *helmServer) setTag(tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tag = tag
}

func etagFor(text string) string { return fmt.Sprintf("%q", chart.Digest([]byte(text))) }

// addInvalidEntries adds entries that are not valid apps.
func (s *helmServer) addInvalidEntries(count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range count {
		name := fmt.Sprintf("Broken%02d", i)
		s.entries[name] = []any{map[string]any{"apiVersion": "v2", "name": name, "version": "1.0.0", "urls": []string{"a.tgz"}}}
	}
	Expect(len(s.entries)).To(BeNumerically(">=", count))
}
