package bucket_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/volume"
	"github.com/appmarket/operator/test/testbucket"
)

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
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a request is sent to another host: %s %s", r.Method, r.Header.Get("Authorization"))
	}))
	t.Cleanup(other.Close) // After the parallel tests.
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
		{"a clock that is wrong", respondWith(403, errorBody("RequestTimeTooSkewed")), v1alpha1.ReasonStorageFailed},
		{"another region", respondWith(400, `<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-central-1</Region></Error>`),
			v1alpha1.ReasonStorageFailed},
		{"a condition that does not hold", respondWith(412, errorBody("PreconditionFailed")), v1alpha1.ReasonStorageFailed},
		{"too many requests", respondWith(429, errorBody("SlowDown")), v1alpha1.ReasonStorageFailed},
		{"a service that is overloaded", respondWith(503, errorBody("SlowDown")), v1alpha1.ReasonStorageFailed},
		{"an error that is no XML", respondWith(400, "<Error><Code>"+testbucket.SecretKey), v1alpha1.ReasonStorageFailed},
		{"an error that does not end", func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			w.WriteHeader(http.StatusBadRequest)
			for err := error(nil); err == nil && r.Method != http.MethodHead; {
				_, err = io.WriteString(w, strings.Repeat(" ", 64<<10))
			}
			return true
		}, v1alpha1.ReasonStorageFailed},
		{"a redirect to another host", func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
			return true
		}, v1alpha1.ReasonStorageFailed},
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
