// Package appstore is an app store with the protocol of Olares, for tests of sources of type Olares.
package appstore

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/appmarket/operator/internal/chart"
)

// maxBatch is the number of apps that a request for details can name.
const maxBatch = 10

// Store is an app store. It counts requests and bytes. The fields may be changed between requests.
type Store struct {
	// Hash is the hash of all apps.
	Hash string
	// Apps are the details of the apps by their identifiers, and Charts their archives by file names.
	Apps   map[string]map[string]any
	Charts map[string][]byte
	// Before responds to a request instead of the app store if it returns true.
	Before func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	requests []string
	bytes    int
}

// New returns an app store without apps.
func New() *Store {
	return &Store{Hash: "h1", Apps: map[string]map[string]any{}, Charts: map[string][]byte{}}
}

// ServeHTTP implements http.Handler.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization")))
	if s.Before != nil && s.Before(w, r) {
		return
	}
	var response any
	switch path := strings.TrimPrefix(r.URL.Path, "/store/api/v1/"); {
	case path == "appstore/hash":
		response = map[string]any{"hash": s.Hash, "last_updated": "2026-11-30T12:00:00Z"}
	case path == "appstore/info":
		overview := map[string]any{}
		for id, app := range s.Apps {
			overview[id] = map[string]any{"id": id, "name": app["name"], "version": app["version"], "icon": "https://cdn.example/icon.png"}
		}
		response = map[string]any{"hash": s.Hash, "data": map[string]any{"apps": overview, "topics": []any{}}}
	case path == "applications/info" && r.Method == http.MethodPost:
		response = s.findDetails(r.Body)
	default:
		data, ok := s.Charts[r.URL.Query().Get("fileName")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		s.bytes += len(data)
		_, _ = w.Write(data) // The client can end a request.
		return
	}
	data, err := json.Marshal(response)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.bytes += len(data)
	_, _ = w.Write(data)
}

// findDetails returns the details of the apps of a request. An app with the key "missing" does not exist.
func (s *Store) findDetails(body io.Reader) any {
	var request struct {
		IDs []string `json:"app_ids"`
	}
	if err := json.NewDecoder(body).Decode(&request); err != nil || len(request.IDs) > maxBatch {
		return map[string]any{"message": "invalid request"}
	}
	found := map[string]any{}
	missing := []string{}
	for _, id := range request.IDs {
		if app := s.Apps[id]; app != nil && app["missing"] == nil {
			found[id] = app
		} else {
			missing = append(missing, id)
		}
	}
	return map[string]any{"apps": found, "not_found": missing}
}

// AddApp adds an app with a chart, or replaces it.
func (s *Store) AddApp(name, version string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	file := name + "-" + version + ".tgz"
	s.Apps["id-"+name] = map[string]any{
		"id": "id-" + name, "name": name, "version": version, "chartName": file, "versionName": version + "-app", "cfgType": "app",
		"title": map[string]any{"en-US": name}, "fullDescription": map[string]any{"en-US": "text"}, "updateTime": 1, "lastCommitHash": chart.Digest(data),
	}
	s.Charts[file] = data
	s.Hash = chart.Digest(append([]byte(s.Hash), data...))
}

// TakeRequests returns the requests since the last call, and the number of bytes of the responses.
func (s *Store) TakeRequests() (requests []string, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests, bytes = s.requests, s.bytes
	s.requests, s.bytes = nil, 0
	return requests, bytes
}
