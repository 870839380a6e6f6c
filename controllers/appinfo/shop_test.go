package appinfo_test

import (
	"fmt"
	"net/http"
	"strings"
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
	s := &shop{host: fmt.Sprintf("shop-%d.example.com", d.count), archives: map[string][]byte{}, fetched: map[string]int{}}
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

// shop is a Helm repository with versions of the app web.
type shop struct {
	host string

	mu       sync.Mutex
	archives map[string][]byte
	fetched  map[string]int
	// ill contains the HTTP status of failing responses, by version.
	ill map[string]int
}

func (s *shop) url() string { return "http://" + s.host }

// put adds a version with these files in addition to its Chart.yaml.
func (s *shop) put(version string, content map[string]string) {
	files := []chart.File{{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nappVersion: v" + version + "\nversion: " + version + "\n" + content["Chart.yaml"])}}
	for name, text := range content {
		if name != "Chart.yaml" {
			files = append(files, chart.File{Name: name, Data: []byte(text)})
		}
	}
	archive, err := chart.Pack("web", files)
	Expect(err).NotTo(HaveOccurred())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.archives[version] = archive
}

// drop removes a version.
func (s *shop) drop(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.archives, version)
}

// fails sets the HTTP status of responses for a version. 0 restores the version.
func (s *shop) fails(version string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ill = map[string]int{version: status}
}

// fetches returns the number of requests for a version since the last call.
func (s *shop) fetches(version string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := s.fetched[version]
	s.fetched[version] = 0
	return count
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/index.yaml" {
		w.Write(s.index())
		return
	}
	version := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/web-"), ".tgz")
	s.fetched[version]++
	archive, ok := s.archives[version]
	switch {
	case s.ill[version] != 0:
		w.WriteHeader(s.ill[version])
	case !ok:
		http.NotFound(w, r)
	default:
		w.Write(archive)
	}
}

func (s *shop) index() []byte {
	var web []map[string]any
	for version, archive := range s.archives {
		web = append(web, map[string]any{
			"apiVersion": "v2", "name": "web", "version": version, "digest": chart.Digest(archive),
			"urls": []string{"web-" + version + ".tgz"},
		})
	}
	text, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "entries": map[string]any{"web": web}})
	if err != nil {
		panic(err)
	}
	return text
}

// page returns the files of an app with one ConfigMap that contains its values.
func page() map[string]string {
	return map[string]string{
		"templates/page.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page}\ndata: {colour: {{ .Values.colour | quote }}, zone: {{ .Values.zone | quote }}}\n",
		"values.yaml":         "# What people see.\ncolour: grey\n",
	}
}

// broken returns the files of an app that cannot be rendered.
func broken() map[string]string {
	return map[string]string{"templates/page.yaml": "{{ brokenOnPurpose }}\n"}
}
