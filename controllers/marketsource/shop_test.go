package marketsource_test

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

// directory serves the shops by their host names.
type directory struct {
	mu    sync.Mutex
	count int
	shops map[string]*shop
}

// open creates a shop with a new host name.
func (d *directory) open() *shop {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shops == nil {
		d.shops = map[string]*shop{}
	}
	d.count++
	s := &shop{host: fmt.Sprintf("shop-%d.example.com", d.count), entries: map[string][]any{}}
	d.shops[s.host] = s
	return s
}

func (d *directory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	s := d.shops[r.Host]
	d.mu.Unlock()
	if s == nil {
		http.NotFound(w, r)
		return
	}
	s.ServeHTTP(w, r)
}

// shop is a Helm repository whose index is the only file that is requested.
type shop struct {
	host string

	mu      sync.Mutex
	entries map[string][]any
	asked   []string
	ill     int
	patient string
	text    string
	tag     string
}

func (s *shop) url() string { return "http://" + s.host }

// offer adds versions of an app to the index.
func (s *shop) offer(app string, versions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, version := range versions {
		s.entries[app] = append(s.entries[app], map[string]any{
			"apiVersion": "v2", "name": app, "version": version, "appVersion": "v" + version, "created": "2026-01-02T03:04:05Z",
			"digest": chart.Digest([]byte(app + version)), "urls": []string{app + "-" + version + ".tgz"},
		})
	}
}

// drop removes an app from the index.
func (s *shop) drop(app string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, app)
}

// says sets a response body instead of the index.
func (s *shop) says(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text
}

// fails sets the HTTP status of responses and optionally Retry-After. Status 0 restores the
// shop.
func (s *shop) fails(status int, after string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ill, s.patient = status, after
}

// requests returns the responses since the last call: 200 for the complete index, 304 if it
// was not modified, and other statuses.
func (s *shop) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, text := s.answer(r)
	s.asked = append(s.asked, fmt.Sprint(status))
	w.Header().Set("ETag", etag(s.tag+text))
	if s.patient != "" {
		w.Header().Set("Retry-After", s.patient)
	}
	w.WriteHeader(status)
	if status == http.StatusOK {
		_, _ = w.Write([]byte(text))
	}
}

func (s *shop) answer(r *http.Request) (int, string) {
	text := s.text
	if text == "" {
		index, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "entries": s.entries})
		if err != nil {
			panic(err)
		}
		text = string(index)
	}
	switch {
	case s.ill != 0:
		return s.ill, text
	case r.Header.Get("If-None-Match") == etag(s.tag+text):
		return http.StatusNotModified, text
	}
	return http.StatusOK, text
}

// retag changes the ETag of the unchanged index.
func (s *shop) retag(tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tag = tag
}

func etag(text string) string { return fmt.Sprintf("%q", chart.Digest([]byte(text))) }

// broken adds entries that are not valid apps.
func (s *shop) broken(count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range count {
		name := fmt.Sprintf("Broken%02d", i)
		s.entries[name] = []any{map[string]any{"apiVersion": "v2", "name": name, "version": "1.0.0", "urls": []string{"a.tgz"}}}
	}
	Expect(len(s.entries)).To(BeNumerically(">=", count))
}
