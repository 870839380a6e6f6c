package bucket_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/bucket"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/volume"
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

// respondWith is a Fault with a status and a body.
func respondWith(status int, body string) testbucket.Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

func errorBody(code string) string {
	return `<?xml version="1.0"?><Error><Code>` + code + `</Code><Message>` + testbucket.SecretKey + `</Message></Error>`
}

// TestFailures checks for each failure that every call ends with an error that is no evidence that a
// file is missing, that has the right reason, and that contains neither keys nor texts of the service.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		why    string
		fault  testbucket.Fault
		reason string
	}{
		{"access denied", respondWith(403, errorBody("AccessDenied")), v1alpha1.ReasonStorageReadOnly},
		{"keys unknown", respondWith(403, errorBody("InvalidAccessKeyId")), v1alpha1.ReasonStorageReadOnly},
		{"quota reached", respondWith(403, errorBody("QuotaExceeded")), v1alpha1.ReasonStorageFull},
		{"service full", respondWith(507, errorBody("XMinioStorageFull")), v1alpha1.ReasonStorageFull},
		{"bucket missing", respondWith(404, errorBody("NoSuchBucket")), v1alpha1.ReasonStorageFailed},
		{"a proxy that does not find the service", respondWith(404, "default backend - 404"), v1alpha1.ReasonStorageFailed},
		{"service broken", respondWith(500, errorBody("InternalError")), v1alpha1.ReasonStorageFailed},
		{"an error code that is a text", respondWith(400, errorBody("a b "+testbucket.SecretKey)), v1alpha1.ReasonStorageFailed},
		{"connection closed", func(http.ResponseWriter, *http.Request, http.Handler) bool { panic(http.ErrAbortHandler) }, v1alpha1.ReasonStorageFailed},
		{"no response", func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return true
		}, v1alpha1.ReasonStorageFailed},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			b, server := newBucket(t)
			g.Expect(b.Write("records/a", []byte("a"))).To(Succeed())
			server.SetFault(c.fault)
			_, statErr := b.Stat("records/a")
			_, openErr := b.Open("records/a")
			for call, err := range map[string]error{
				"stat": statErr, "open": openErr, "write": b.Write("records/a", []byte("b")), "remove": b.Remove("records/a"),
				"list": b.List("records", func(chartrepo.FileInfo) error { return nil }), "check": b.Check(),
			} {
				g.Expect(err).To(MatchError(chartrepo.ErrUnavailable), call)
				g.Expect(errors.Is(err, fs.ErrNotExist)).To(BeFalse(), call)
				if call == "write" {
					g.Expect(outcome.Reason(volume.StorageError(err), "")).To(Equal(c.reason), "%s: %v", call, err)
				}
				g.Expect(err.Error()).NotTo(ContainSubstring(testbucket.SecretKey), call)
				g.Expect(err.Error()).NotTo(ContainSubstring(testbucket.AccessKey), call)
				g.Expect(err.Error()).NotTo(ContainSubstring("records"), "%s: the text is the same for each file", call)
			}
			server.SetFault(nil)
			g.Expect(listNames(g, b, "records")).To(Equal([]string{"records/a"}))
			g.Expect(b.Check()).To(Succeed())
		})
	}
}

// TestRetries checks that a request is repeated a few times, and not forever.
func TestRetries(t *testing.T) {
	g := NewWithT(t)
	b, server := newBucket(t)
	g.Expect(b.Write("a", []byte("a"))).To(Succeed())
	failed := 0
	server.SetFault(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		failed++
		if failed == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return failed == 1
	})
	_, err := b.Stat("a")
	g.Expect(err).NotTo(HaveOccurred())

	before := server.Requests.Load()
	server.SetFault(respondWith(http.StatusServiceUnavailable, ""))
	_, err = b.Stat("a")
	g.Expect(err).To(HaveOccurred())
	g.Expect(server.Requests.Load() - before).To(BeNumerically("<=", 3))
}

// TestBrokenDownloads checks that a file that is not read completely is no shorter file.
func TestBrokenDownloads(t *testing.T) {
	data := bytes.Repeat([]byte("x"), 300_000)
	for why, end := range map[string]func(r *http.Request){
		"cut":     func(*http.Request) { panic(http.ErrAbortHandler) },
		"stalled": func(r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			b, server := newBucket(t)
			g.Expect(b.Write("blob", data)).To(Succeed())
			server.SetFault(func(w http.ResponseWriter, r *http.Request, service http.Handler) bool {
				if r.Method != http.MethodGet {
					return false
				}
				recorder := httptest.NewRecorder()
				service.ServeHTTP(recorder, r)
				for name, values := range recorder.Header() {
					w.Header()[name] = values
				}
				w.Header().Set("Content-Length", strconv.Itoa(recorder.Body.Len()))
				w.WriteHeader(recorder.Code)
				_, _ = w.Write(recorder.Body.Bytes()[:recorder.Body.Len()/2])
				_ = http.NewResponseController(w).Flush()
				end(r)
				return true
			})
			file, err := b.Open("blob")
			g.Expect(err).NotTo(HaveOccurred())
			read, err := io.ReadAll(file)
			g.Expect(err).To(MatchError(chartrepo.ErrUnavailable))
			g.Expect(len(read)).To(BeNumerically("<", len(data)))
			g.Expect(file.Close()).To(Succeed())
		})
	}
}

// TestInvalidLists checks that a list that is not one of the service is no empty bucket.
func TestInvalidLists(t *testing.T) {
	for why, body := range map[string]string{
		"a page":          "<html><body>Welcome to the proxy</body></html>",
		"an empty body":   "",
		"a truncated one": `<ListBucketResult><Contents><Key>records/a`,
		"an endless one":  "<ListBucketResult>" + strings.Repeat("<Contents><Key>records/a</Key></Contents>", 300_000),
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			b, server := newBucket(t)
			server.SetFault(respondWith(http.StatusOK, body))
			g.Expect(b.List("records", func(chartrepo.FileInfo) error { return nil })).To(MatchError(chartrepo.ErrUnavailable))
		})
	}
}

func TestCredentialsAreReadAgain(t *testing.T) {
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
