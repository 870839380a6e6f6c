// Package testbucket provides tests with an S3-compatible service whose bucket is a folder, so that a
// test can damage, add and remove objects as files.
package testbucket

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3afero"
	"github.com/spf13/afero"
)

// Name is the name of the bucket.
const Name = "charts"

// Keys that the tests use. The service accepts all keys.
const (
	AccessKey = "test-access-key"
	SecretKey = "test-secret-key"
)

// Server is an S3-compatible service.
type Server struct {
	// URL is the endpoint.
	URL string
	// Dir contains the objects.
	Dir string
	// Requests is the number of requests.
	Requests atomic.Int64

	objects http.Handler
	fault   atomic.Pointer[Fault]
}

// Fault handles a request instead of the service, and reports whether it did.
type Fault func(w http.ResponseWriter, r *http.Request, service http.Handler) bool

// Start starts a service with the objects of a folder, which ends after the test.
func Start(t testing.TB, dir string) *Server {
	t.Helper()
	s := newServer(t, dir)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// StartTLS starts a service that is reached over TLS, and returns its certificate in PEM.
func StartTLS(t testing.TB, dir string) (*Server, []byte) {
	t.Helper()
	s := newServer(t, dir)
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

func newServer(t testing.TB, dir string) *Server {
	t.Helper()
	files := afero.NewBasePathFs(afero.NewOsFs(), dir)
	bucket, err := s3afero.SingleBucket(Name, files, afero.NewMemMapFs())
	if err != nil {
		t.Fatal(err)
	}
	return &Server{Dir: dir, objects: gofakes3.New(&folder{SingleBucketBackend: bucket, dir: dir}).Server()}
}

// ServeHTTP handles a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Requests.Add(1)
	if fault := s.fault.Load(); fault != nil && (*fault)(w, r, s.objects) {
		return
	}
	s.objects.ServeHTTP(w, r)
}

// SetFault sets the Fault of the following requests. Nil removes it.
func (s *Server) SetFault(fault Fault) {
	if fault == nil {
		s.fault.Store(nil)
		return
	}
	s.fault.Store(&fault)
}

// WriteKeys writes the files of credentials, and returns their folder.
func WriteKeys(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, key := range map[string]string{"accesskey": AccessKey, "secretkey": SecretKey + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// folder is a bucket whose objects have the modification times of their files. As in a real service, a reader
// gets either the old or the new content of an object.
type folder struct {
	*s3afero.SingleBucketBackend

	dir   string
	files sync.RWMutex
}

func (f *folder) HeadObject(bucket, name string) (*gofakes3.Object, error) {
	f.files.RLock()
	defer f.files.RUnlock()
	return f.withTime(f.SingleBucketBackend.HeadObject(bucket, name))
}

func (f *folder) GetObject(bucket, name string, span *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	f.files.RLock()
	defer f.files.RUnlock()
	object, err := f.withTime(f.SingleBucketBackend.GetObject(bucket, name, span))
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(object.Contents)
	if err := errors.Join(err, object.Contents.Close()); err != nil {
		return nil, err
	}
	object.Contents = io.NopCloser(bytes.NewReader(content))
	return object, nil
}

func (f *folder) PutObject(
	bucket, name string, meta map[string]string, input io.Reader, size int64, conditions *gofakes3.PutConditions,
) (gofakes3.PutObjectResult, error) {
	content, err := io.ReadAll(input)
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	f.files.Lock()
	defer f.files.Unlock()
	return f.SingleBucketBackend.PutObject(bucket, name, meta, bytes.NewReader(content), size, conditions)
}

func (f *folder) withTime(object *gofakes3.Object, err error) (*gofakes3.Object, error) {
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(filepath.Join(f.dir, filepath.FromSlash(object.Name)))
	if err != nil {
		return nil, gofakes3.KeyNotFound(object.Name)
	}
	if object.Metadata == nil {
		object.Metadata = map[string]string{}
	}
	object.Metadata["Last-Modified"] = info.ModTime().UTC().Format(http.TimeFormat)
	return object, nil
}
