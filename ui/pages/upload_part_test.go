package pages_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/appmarket/operator/internal/chart"
)

// partAnswer is the answer to a part of an archive.
type partAnswer struct {
	Received      int
	Next, Problem string
	IsTemporary   bool
}

// newPart returns the request that the script sends for a part of the archive web-1.0.0.tgz.
func (b *browser) newPart(t *testing.T, page string, archive []byte, from, to int, changes ...string) *http.Request {
	t.Helper()
	query := url.Values{"file": {"web-1.0.0.tgz"}, "digest": {chart.Digest(archive)}, "offset": {strconv.Itoa(from)}, "total": {strconv.Itoa(len(archive))}}
	for i := 0; i+1 < len(changes); i += 2 {
		query.Set(changes[i], changes[i+1])
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, b.base+page+"/part?"+query.Encode(), bytes.NewReader(archive[from:to]))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return request
}

// TestUploadIsResumed sends an archive in parts, of which one is cut.
func TestUploadIsResumed(t *testing.T) {
	g, w := NewWithT(t), newUploadWorld(t, false)
	b := w.signIn(t, w.market, "admin", append(marketAdmin[:2:2], publisher)...)
	archive := newArchive(t, "a")
	send := func(from *browser, start, end int) (int, partAnswer) {
		got := from.send(t, from.newPart(t, w.page(), archive, start, end))
		var answer partAnswer
		g.Expect(json.Unmarshal([]byte(got.text), &answer)).To(Succeed(), got.text)
		return got.StatusCode, answer
	}
	var answer partAnswer
	// The API server learns of the new permissions a moment after they were written.
	g.Eventually(func() int { var status int; status, answer = send(b, 0, 0); return status }).WithTimeout(30 * time.Second).Should(Equal(http.StatusOK))
	g.Expect(answer).To(Equal(partAnswer{}), "nothing was received")
	_, answer = send(b, 0, 50)
	g.Expect(answer).To(Equal(partAnswer{Received: 50}))

	t.Log("a request is cut")
	cut := b.newPart(t, w.page(), archive, 50, 100)
	cut.Body, cut.ContentLength = readCloser{func([]byte) (int, error) { return 0, http.ErrBodyReadAfterClose }}, 50
	_, err := b.Do(cut)
	g.Expect(err).To(HaveOccurred())
	g.Eventually(func() partAnswer { _, answer = send(b, 0, 0); return answer }).WithTimeout(30*time.Second).Should(Equal(partAnswer{Received: 50}), "the repository keeps the first part")

	t.Log("another session of the user continues")
	other := w.newBrowser(t)
	g.Expect(other.post(t, "/login", url.Values{"token": {w.tokenFor(t, w.market, "admin")}}).StatusCode).To(Equal(http.StatusSeeOther))
	_, answer = send(other, 0, 0)
	g.Expect(answer).To(Equal(partAnswer{Received: 50}))
	_, answer = send(other, 100, len(archive))
	g.Expect(answer).To(Equal(partAnswer{Received: 50}), "a part that does not follow is not kept")
	_, answer = send(other, 50, len(archive))
	g.Expect(answer.Received).To(Equal(len(archive)))
	g.Expect(other.get(t, answer.Next).text).To(ContainSubstring("web-1.0.0.tgz was uploaded"))
	_, answer = send(b, 0, 0)
	g.Expect(b.get(t, answer.Next).text).To(ContainSubstring("already has web-1.0.0.tgz"))
}

// TestPartsThatAreNotAccepted sends parts that no script of the page sends.
func TestPartsThatAreNotAccepted(t *testing.T) {
	w := newUploadWorld(t, false)
	b := w.signIn(t, w.market, "admin", append(marketAdmin[:2:2], publisher)...)
	reader := w.signIn(t, w.market, "reader", viewer)
	stranger := w.signIn(t, w.Namespace(t, nil), "stranger", []rbacv1.PolicyRule{viewer, publisher}...)
	archive, large := newArchive(t, "a"), make([]byte, 1<<20+1)
	refused := http.StatusUnprocessableEntity
	for _, c := range []struct {
		why    string
		from   *browser
		change func(*http.Request)
		query  []string
		status int
		text   string
	}{
		{"a large archive", b, nil, []string{"total", "16777217"}, refused, "larger than 16 MiB"},
		{"a file of another type", b, nil, []string{"file", "web.zip"}, refused, "name of the file"},
		{"a file that is a path", b, nil, []string{"file", "../../v2/x-1.0.0.tgz"}, refused, "name of the file"},
		{"a digest with a query", b, nil, []string{"digest", "sha256:x&y"}, refused, "form"},
		{"no digest", b, nil, []string{"digest", ""}, refused, "form"},
		{"more than the archive", b, nil, []string{"total", "10"}, refused, "form"},
		{"a negative offset", b, nil, []string{"offset", "-1"}, refused, "form"},
		{"an offset beyond all numbers", b, nil, []string{"offset", "99999999999999999999"}, http.StatusBadRequest, "form"},
		{"a large part", b, func(r *http.Request) {
			r.Body, r.ContentLength = readCloser{bytes.NewReader(large).Read}, int64(len(large))
		}, nil, http.StatusBadRequest, "form"},
		{"another site", b, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, nil, http.StatusForbidden, "cross-origin"},
		{"a user without the permission", reader, nil, nil, http.StatusForbidden, "marketsources/upload is missing"},
		{"a user of another namespace", stranger, nil, nil, http.StatusForbidden, "get marketsources"},
		{"a user who is not signed in", w.newBrowser(t), nil, nil, http.StatusUnauthorized, "sign in"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			request := c.from.newPart(t, w.page(), archive, 0, 50, c.query...)
			if c.change != nil {
				c.change(request)
			}
			before := w.uploads.received.Load()
			got := c.from.send(t, request)
			g.Expect(got.StatusCode).To(Equal(c.status), got.text)
			g.Expect(strings.ToLower(got.text)).To(ContainSubstring(strings.ToLower(c.text)))
			g.Expect(w.uploads.received.Load()).To(Equal(before), "the repository is not asked")
		})
	}
}
