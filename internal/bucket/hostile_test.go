package bucket_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/chartrepo"
)

// TestObjectsWithoutASize checks that an object is not taken for an empty one if a proxy omits its size.
func TestObjectsWithoutASize(t *testing.T) {
	g := NewWithT(t)
	b, server := newBucket(t)
	g.Expect(b.Write("records/a", []byte("content"))).To(Succeed())
	server.SetFault(func(w http.ResponseWriter, r *http.Request, service http.Handler) bool {
		recorder := httptest.NewRecorder()
		service.ServeHTTP(recorder, r)
		for name, values := range recorder.Header() {
			if name != "Content-Length" {
				w.Header()[name] = values
			}
		}
		w.WriteHeader(recorder.Code)
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(recorder.Body.Bytes())
		return true
	})
	_, err := b.Stat("records/a")
	g.Expect(err).To(MatchError(chartrepo.ErrUnavailable))
	_, err = b.Open("records/a")
	g.Expect(err).To(MatchError(chartrepo.ErrUnavailable))
	g.Expect(errors.Is(err, fs.ErrNotExist)).To(BeFalse())
}

// TestForeignNames lists objects that other programs have written. Names that are no paths of files are left alone.
func TestForeignNames(t *testing.T) {
	g := NewWithT(t)
	b, server := newBucket(t)
	var list strings.Builder
	list.WriteString(`<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>`)
	for _, name := range []string{
		"records/../../other/x", "records/..", "records//x", "records/./x", "records/", "/records/x", "other/x", "records", "records/a%2F..%2Fb",
		"records/" + strings.Repeat("x", 1024), "records/a b.json",
	} {
		fmt.Fprintf(&list, `<Contents><Key>%s</Key><Size>1</Size><LastModified>2026-11-30T12:00:00.000Z</LastModified></Contents>`, name)
	}
	list.WriteString(`</ListBucketResult>`)
	server.SetFault(respondWith(http.StatusOK, list.String()))
	g.Expect(listNames(g, b, "records")).To(ConsistOf("records/"+strings.Repeat("x", 1024), "records/a b.json"))
}
