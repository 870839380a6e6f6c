package bucket_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/bucket"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/test/testbucket"
)

// newBucket returns a bucket and its service. Connections stall after a short time.
func newBucket(t testing.TB, change ...func(*bucket.Config)) (*bucket.Bucket, *testbucket.Server) {
	t.Helper()
	server := testbucket.Start(t, t.TempDir())
	config := bucket.Config{
		Name: testbucket.Name, Endpoint: server.URL, CredentialsDir: testbucket.WriteKeys(t), StallTimeout: 200 * time.Millisecond,
	}
	for _, f := range change {
		f(&config)
	}
	b, err := bucket.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, server
}

// listNames returns the names of the files below a folder.
func listNames(g Gomega, b *bucket.Bucket, folder string) []string {
	names := []string{}
	g.Expect(b.List(folder, func(file chartrepo.FileInfo) error {
		names = append(names, file.Name)
		return nil
	})).To(Succeed())
	return names
}

func TestFiles(t *testing.T) {
	g := NewWithT(t)
	b, server := newBucket(t, func(c *bucket.Config) { c.Prefix = "/team/market/" })
	g.Expect(b.Write("records/a+b/1.0.0+x.json", []byte("one"))).To(Succeed())
	g.Expect(b.Write("records/a/2.0.0.json", []byte("two"))).To(Succeed())
	g.Expect(b.Write("records/a/2.0.0.json", []byte("three"))).To(Succeed(), "a file is replaced")
	g.Expect(b.Write("blobs/x", []byte("blob"))).To(Succeed())
	g.Expect(filepath.Join(server.Dir, "team/market/records/a/2.0.0.json")).To(BeARegularFile())

	g.Expect(listNames(g, b, "records")).To(ConsistOf("records/a+b/1.0.0+x.json", "records/a/2.0.0.json"))
	info, err := b.Stat("records/a/2.0.0.json")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(info.Size).To(Equal(int64(5)))
	g.Expect(info.ModTime).To(BeTemporally("~", time.Now(), time.Minute))
	g.Expect(b.List("records/a", func(listed chartrepo.FileInfo) error {
		g.Expect(listed).To(Equal(info), "a list describes the same version")
		return nil
	})).To(Succeed())

	for range 2 {
		g.Expect(b.Remove("records/a/2.0.0.json")).To(Succeed(), "removing again does nothing")
	}
	_, err = b.Stat("records/a/2.0.0.json")
	g.Expect(err).To(MatchError(fs.ErrNotExist))
	g.Expect(errors.Is(err, chartrepo.ErrUnavailable)).To(BeFalse())
	_, err = b.Open("records/a")
	g.Expect(err).To(MatchError(fs.ErrNotExist), "a folder is not a file")
	g.Expect(b.Check()).To(Succeed(), "a missing file is no failure")
	g.Expect(b.CheckSpace(100_000)).To(Succeed())
	g.Expect(listNames(g, b, "records")).To(Equal([]string{"records/a+b/1.0.0+x.json"}))
}

func TestReadsAtPositions(t *testing.T) {
	g := NewWithT(t)
	b, server := newBucket(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 40_000)
	g.Expect(b.Write("blob", data)).To(Succeed())
	file, err := b.Open("blob")
	g.Expect(err).NotTo(HaveOccurred())
	before := server.Requests.Load()
	g.Expect(io.ReadAll(io.NewSectionReader(file, 0, file.Info().Size))).To(Equal(data))
	g.Expect(server.Requests.Load()-before).To(BeNumerically("<=", 2), "consecutive reads use one response")
	part := make([]byte, 100)
	g.Expect(file.ReadAt(part, 320_005)).To(Equal(100))
	g.Expect(part).To(Equal(data[320_005:320_105]))
	n, err := file.ReadAt(part, int64(len(data))-10)
	g.Expect(n).To(Equal(10))
	g.Expect(err).To(Equal(io.EOF))

	g.Expect(file.Seek(-5, io.SeekEnd)).To(Equal(int64(len(data)) - 5))
	g.Expect(io.ReadAll(file)).To(HaveLen(5))
	g.Expect(file.Seek(0, io.SeekStart)).To(BeZero())
	g.Expect(io.ReadAll(file)).To(Equal(data))

	g.Expect(file.Seek(0, io.SeekStart)).To(BeZero())
	server.SetFault(func(w http.ResponseWriter, r *http.Request, service http.Handler) bool {
		// The service in the test does not compare versions when an object is read.
		if r.Header.Get("If-Match") != `"`+file.Info().ETag+`"` {
			return false
		}
		return respondWith(http.StatusPreconditionFailed, errorBody("PreconditionFailed"))(w, r, service)
	})
	_, err = io.ReadAll(file)
	g.Expect(err).To(MatchError(chartrepo.ErrUnavailable), "another version is not read")
	g.Expect(file.Close()).To(Succeed())
}

func TestCredentialsAreRequired(t *testing.T) {
	g := NewWithT(t)
	empty := t.TempDir()
	_, err := bucket.New(bucket.Config{Name: "charts", Endpoint: "https://s3.example.com", CredentialsDir: empty})
	g.Expect(err).To(MatchError(fs.ErrNotExist))
	g.Expect(os.WriteFile(filepath.Join(empty, "accesskey"), nil, 0o600)).To(Succeed())
	_, err = bucket.New(bucket.Config{Name: "charts", Endpoint: "https://s3.example.com", CredentialsDir: empty})
	g.Expect(err).To(MatchError(ContainSubstring("must contain a key")))

	t.Setenv("AWS_ACCESS_KEY_ID", "")
	_, err = bucket.New(bucket.Config{Name: "charts", Endpoint: "https://s3.example.com"})
	g.Expect(err).To(HaveOccurred(), "requests are never anonymous")
	t.Setenv("AWS_ACCESS_KEY_ID", testbucket.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", testbucket.SecretKey)
	_, err = bucket.New(bucket.Config{Name: "charts", Endpoint: "https://s3.example.com"})
	g.Expect(err).NotTo(HaveOccurred())
}

// TestCertificates reaches a service over TLS with and without the certificate of its authority.
func TestCertificates(t *testing.T) {
	g := NewWithT(t)
	server, certificate := testbucket.StartTLS(t, t.TempDir())
	authorities := filepath.Join(t.TempDir(), "ca.crt")
	g.Expect(os.WriteFile(authorities, certificate, 0o600)).To(Succeed())
	config := bucket.Config{Name: testbucket.Name, Endpoint: server.URL, CredentialsDir: testbucket.WriteKeys(t)}
	untrusted, err := bucket.New(config)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(untrusted.Write("a", []byte("a"))).To(And(MatchError(chartrepo.ErrUnavailable), MatchError(ContainSubstring("certificate"))))

	config.CAFile, config.Endpoint = authorities, strings.TrimPrefix(server.URL, "https://")
	trusted, err := bucket.New(config)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(trusted.Write("a", []byte("a"))).To(Succeed(), "TLS is used without a scheme")
	_, err = trusted.Stat("a")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(errors.Join(untrusted.Close(), trusted.Close())).To(Succeed())
}

// TestListsOfSeveralPages lists more objects than one response contains.
func TestListsOfSeveralPages(t *testing.T) {
	g := NewWithT(t)
	objects := s3mem.New()
	g.Expect(objects.CreateBucket(testbucket.Name)).To(Succeed())
	const count = 1001
	for i := range count {
		_, err := objects.PutObject(testbucket.Name, fmt.Sprintf("records/%04d.json", i), nil, strings.NewReader("{}"), 2, nil)
		g.Expect(err).NotTo(HaveOccurred())
	}
	requests := 0
	service := gofakes3.New(objects).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		service.ServeHTTP(w, r)
	}))
	defer server.Close()
	b, err := bucket.New(bucket.Config{Name: testbucket.Name, Endpoint: server.URL, CredentialsDir: testbucket.WriteKeys(t)})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listNames(g, b, "records")).To(HaveLen(count))
	g.Expect(requests).To(Equal(2))
	stop := errors.New("stop")
	g.Expect(b.List("records", func(chartrepo.FileInfo) error { return stop })).To(MatchError(stop))
	g.Expect(b.Close()).To(Succeed())
}

func TestInvalidConfigs(t *testing.T) {
	keys := testbucket.WriteKeys(t)
	for why, change := range map[string]func(*bucket.Config){
		"no endpoint":             func(c *bucket.Config) { c.Endpoint = "" },
		"password in endpoint":    func(c *bucket.Config) { c.Endpoint = "https://user:" + testbucket.SecretKey + "@s3.example.com" },
		"path in endpoint":        func(c *bucket.Config) { c.Endpoint = "https://s3.example.com/charts" },
		"scheme of another kind":  func(c *bucket.Config) { c.Endpoint = "s3://charts" },
		"prefix with parent":      func(c *bucket.Config) { c.Prefix = "a/../b" },
		"certificates missing":    func(c *bucket.Config) { c.CAFile = filepath.Join(keys, "ca.crt") },
		"file of no certificates": func(c *bucket.Config) { c.CAFile = filepath.Join(keys, "accesskey") },
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			config := bucket.Config{Name: "charts", Endpoint: "https://s3.example.com", CredentialsDir: keys}
			change(&config)
			_, err := bucket.New(config)
			g.Expect(err).To(HaveOccurred())
			g.Expect(err.Error()).NotTo(ContainSubstring(testbucket.SecretKey))
		})
	}
}
