package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// TestSlowUploadsKeepOutNoNamespace has namespaces use all slots. The letters are the namespaces of the uploads, in
// upper case if the content is complete.
func TestSlowUploadsKeepOutNoNamespace(t *testing.T) {
	for _, c := range []struct {
		why, uploads, next string
		// granted reports whether the next upload gets a slot, and remaining are the uploads that have one.
		granted   bool
		remaining string
	}{
		{"a free slot", "aab", "c", true, "aabc"},
		{"as many as a namespace may have", "aaa", "a", false, "aaa"},
		{"the namespace with the most loses one", "abaa", "c", true, "baac"},
		{"the oldest of several namespaces loses one", "abcd", "e", true, "bcde"},
		{"a namespace that has one does not end the only one of another", "abcd", "a", false, "abcd"},
		{"a namespace that has one ends one of a namespace with three", "abaa", "b", true, "baab"},
		{"a complete upload is not ended", "AbAA", "c", true, "AAAc"},
		{"all uploads are complete", "ABCD", "e", false, "ABCD"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := newSlots(4, 3)
			for _, letter := range strings.Split(c.uploads, "") {
				content := newTestBody()
				held := s.tryAcquire(strings.ToLower(letter), content)
				g.Expect(held).NotTo(BeNil())
				if letter == strings.ToUpper(letter) {
					_, err := io.ReadAll(content)
					g.Expect(err).NotTo(HaveOccurred())
				}
			}
			held := s.tryAcquire(c.next, newTestBody())
			g.Expect(held != nil).To(Equal(c.granted))
			remaining := ""
			for _, one := range s.held {
				if one.content.isReceiving() {
					remaining += one.namespace
				} else {
					remaining += strings.ToUpper(one.namespace)
				}
			}
			g.Expect(remaining).To(Equal(c.remaining))
		})
	}
}

// newTestBody returns a body without a connection.
func newTestBody() *body {
	recorder := &deadlineRecorder{httptest.NewRecorder()}
	return &body{from: strings.NewReader("a"), controller: http.NewResponseController(recorder), end: time.Now().Add(time.Hour), idle: time.Hour}
}

type deadlineRecorder struct{ *httptest.ResponseRecorder }

func (*deadlineRecorder) SetReadDeadline(time.Time) error { return nil }
