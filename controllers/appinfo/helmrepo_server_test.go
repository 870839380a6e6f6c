package appinfo_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/test/signing"

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
	s := &helmServer{host: fmt.Sprintf("shop-%d.example.com", d.count), archives: map[string][]byte{}, fetched: map[string]int{}}
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

// helmServer is a Helm repository with versions of the app web.
type helmServer struct {
	host string

	mu       sync.Mutex
	archives map[string][]byte
	fetched  map[string]int
	// files contains other files by their paths.
	files map[string][]byte
	// failureStatus contains the HTTP status of failing responses, by version.
	failureStatus map[string]int
}

func (s *helmServer) baseURL() string { return "http://" + s.host }

// addVersion adds a version with these files in addition to its Chart.yaml.
func (s *helmServer) addVersion(version string, content map[string]string) {
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

// signVersion adds the provenance file of a version. The version is not signed if the key is nil.
func (s *helmServer) signVersion(version string, key *signing.ProvenanceKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = map[string][]byte{}
	}
	path := "/web-" + version + ".tgz.prov"
	delete(s.files, path)
	if key != nil {
		s.files[path] = key.SignArchive(GinkgoTB(), s.archives[version])
	}
}

// addFile adds a file.
func (s *helmServer) addFile(path string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = content
}

// removeVersion removes a version.
func (s *helmServer) removeVersion(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.archives, version)
}

// setFailure sets the HTTP status of responses for a version. 0 restores the version.
func (s *helmServer) setFailure(version string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failureStatus = map[string]int{version: status}
}

// takeFetchCount returns the number of requests for a version since the last call.
func (s *helmServer) takeFetchCount(version string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := s.fetched[version]
	s.fetched[version] = 0
	return count
}

func (s *helmServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/index.yaml" {
		w.Write(s.indexYAML())
		return
	}
	if file, ok := s.files[r.URL.Path]; ok {
		w.Write(file)
		return
	}
	version := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/web-"), ".tgz")
	s.fetched[version]++
	archive, ok := s.archives[version]
	switch {
	case s.failureStatus[version] != 0:
		w.WriteHeader(s.failureStatus[version])
	case !ok:
		http.NotFound(w, r)
	default:
		w.Write(archive)
	}
}

func (s *helmServer) indexYAML() []byte {
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

// configMapFiles returns the files of an app with one ConfigMap that contains its values.
func configMapFiles() map[string]string {
	return map[string]string{
		"templates/page.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page}\ndata: {color: {{ .Values.color | quote }}, zone: {{ .Values.zone | quote }}}\n",
		"values.yaml":         "# What people see.\ncolor: gray\n",
	}
}

// unrenderableFiles returns the files of an app that cannot be rendered.
func unrenderableFiles() map[string]string {
	return map[string]string{"templates/page.yaml": "{{ brokenOnPurpose }}\n"}
}
