package bucket

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/chartrepo"
)

const (
	fuzzAccess = "fuzz-access-key"
	fuzzSecret = "fuzz-secret-key"
)

// respond returns the response of a service to each request.
type respond func(r *http.Request) *http.Response

// RoundTrip implements http.RoundTripper.
func (f respond) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
	}
	return f(r), nil
}

// newScripted returns a bucket whose requests have one attempt and get the responses of a function.
func newScripted(t testing.TB, service respond) *Bucket {
	t.Helper()
	client, err := minio.New("s3.example.com", &minio.Options{
		Creds: credentials.NewStaticV4(fuzzAccess, fuzzSecret, ""), Secure: true, Region: DefaultRegion, Transport: responseChecker{service}, MaxRetries: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Bucket{client: client, writer: client, name: "charts", prefix: "market/", maxListed: 5000, close: func() {}}
}

func newResponse(r *http.Request, status int, header http.Header, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Request: r,
		ContentLength: -1, Body: io.NopCloser(strings.NewReader(body)),
	}
}

// FuzzService uses a service with any responses. A file counts as missing only if a list without it was received, names
// in a list are paths of files, and errors are short and contain no credentials.
func FuzzService(f *testing.F) {
	unit := minio.DefaultRetryUnit
	minio.DefaultRetryUnit = time.Microsecond // The client waits after each attempt, also after the last one.
	f.Cleanup(func() { minio.DefaultRetryUnit = unit })
	const found = "ETag: \"a\"\nLast-Modified: Mon, 30 Nov 2026 12:00:00 GMT\nContent-Length: 7"
	const list = `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>market/records/a</Key><Size>7</Size>` +
		`<LastModified>2026-11-30T12:00:00.000Z</LastModified><ETag>"a"</ETag></Contents></ListBucketResult>`
	f.Add(uint16(200), found, "content", list)
	f.Add(uint16(206), strings.Replace(found, "7", "-9223372036854775808", 1), "content", list)
	f.Add(uint16(200), strings.Replace(found, "7", "9223372036854775807", 1), "", list)
	f.Add(uint16(200), "Last-Modified: yesterday", "", "<html>")
	f.Add(uint16(404), "", `<Error><Code>NoSuchKey</Code><Message>`+fuzzSecret+`</Message></Error>`, `<ListBucketResult></ListBucketResult>`)
	f.Add(uint16(404), "", `<Error><Code>NoSuchKey</Code></Error>`, "<ListBucketResult><Contents><Key>market/records/../../x</Key></Contents>")
	f.Add(uint16(403), "X-Minio-Error-Code: "+fuzzSecret, `<Error><Code>`+strings.Repeat("A", 1000)+`</Code></Error>`, list)
	f.Add(uint16(307), "Location: https://other.example.com/", "",
		`<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken></ListBucketResult>`)
	f.Fuzz(func(t *testing.T, status uint16, header, body, list string) {
		g := NewWithT(t)
		given, requests := parseHeader(header), 0
		b := newScripted(t, func(r *http.Request) *http.Response {
			g.Expect(r.URL.Host).To(HaveSuffix("s3.example.com"))
			if r.URL.Query().Has("list-type") {
				// The pages of a list end, even if the service says something else.
				if requests++; requests > 20 {
					return newResponse(r, http.StatusOK, nil, "<ListBucketResult></ListBucketResult>")
				}
				return newResponse(r, http.StatusOK, nil, list)
			}
			return newResponse(r, 200+int(status)%400, given.Clone(), body)
		})
		_, statErr := b.Stat("records/a")
		content, openErr := readWhole(b, "records/a")
		g.Expect(len(content)).To(BeNumerically("<=", len(body)))
		listErr := b.List("records", func(file chartrepo.FileInfo) error {
			g.Expect(file.Name).To(HavePrefix("records/"))
			g.Expect(fs.ValidPath(file.Name)).To(BeTrue(), file.Name)
			return nil
		})
		for _, err := range []error{statErr, openErr, listErr, b.Write("records/a", []byte("a")), b.Remove("records/a"), b.Check()} {
			if err == nil {
				continue
			}
			if errors.Is(err, fs.ErrNotExist) {
				g.Expect(list).To(ContainSubstring("<ListBucketResult"), "%v", err)
			} else {
				g.Expect(err).To(MatchError(chartrepo.ErrUnavailable))
			}
			g.Expect(len(err.Error())).To(BeNumerically("<", 1000))
			g.Expect(err.Error()).NotTo(Or(ContainSubstring(fuzzAccess), ContainSubstring(fuzzSecret)))
		}
	})
}

// parseHeader returns the headers of lines.
func parseHeader(lines string) http.Header {
	header := http.Header{}
	for line := range strings.Lines(lines) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			header.Set(name, value)
		}
	}
	return header
}

func readWhole(b *Bucket, name string) (content []byte, err error) {
	file, err := b.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return io.ReadAll(file)
}

// TestListWithoutEnd lists pages that always have another one.
func TestListWithoutEnd(t *testing.T) {
	g := NewWithT(t)
	pages := 0
	b := newScripted(t, func(r *http.Request) *http.Response {
		pages++
		var page strings.Builder
		fmt.Fprintf(&page, `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>%d</NextContinuationToken>`, pages)
		for i := range 1000 {
			fmt.Fprintf(&page, `<Contents><Key>market/records/%d-%d</Key><Size>1</Size></Contents>`, pages, i)
		}
		return newResponse(r, http.StatusOK, nil, page.String()+`</ListBucketResult>`)
	})
	err := b.List("records", func(chartrepo.FileInfo) error { return nil })
	g.Expect(err).To(And(MatchError(chartrepo.ErrUnavailable), MatchError(ContainSubstring("more than 5000 objects"))))
	g.Expect(pages).To(BeNumerically("<", 10))
}
