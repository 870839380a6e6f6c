package server

import (
	"net/http"
	"testing"

	. "github.com/onsi/gomega"
)

// FuzzContentRange parses any header Content-Range. A range has a valid position within its total.
func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-9/10", int64(10))
	f.Add("bytes */9999999999", int64(-1))
	f.Add("bytes 9-0/1", int64(0))
	f.Fuzz(func(t *testing.T, header string, length int64) {
		g := NewWithT(t)
		found, invalid := parseContentRange(&http.Request{Header: http.Header{"Content-Range": {header}}, ContentLength: length})
		if invalid != nil {
			g.Expect(invalid.status).To(Equal(http.StatusBadRequest))
			return
		}
		g.Expect(found.first).To(BeNumerically(">=", -1))
		g.Expect(found.total).To(BeNumerically(">=", -1))
		if found.total >= 0 && found.first >= 0 { // There is a header.
			g.Expect(found.first).To(BeNumerically("<", found.total))
		}
	})
}
