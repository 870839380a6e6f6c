package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/uploads"
	"github.com/appmarket/operator/internal/uploads/server"
)

func TestArchiveIsUploadedListedAndDeleted(t *testing.T) {
	g, m := NewWithT(t), startMarket(t)
	archive := newArchive(t, "web", "1.0.0", "a")
	known := webFile + "?digest=" + chart.Digest(archive)
	g.Expect(m.send(http.MethodHead, known, all, nil).status).To(Equal(http.StatusNotFound))
	created := m.send(http.MethodPut, webFile, all, archive)
	g.Expect(created.status).To(Equal(http.StatusCreated), created.body)
	g.Expect(<-m.changed).To(Equal(team))
	g.Expect(m.send(http.MethodHead, known, all, nil).status).To(Equal(http.StatusOK), "known bytes")
	g.Expect(m.send(http.MethodPut, webFile, all, archive).status).To(Equal(http.StatusOK), "the same again")
	refused := m.send(http.MethodPut, webFile, all, newArchive(t, "web", "1.0.0", "b"))
	g.Expect(refused.status).To(Equal(http.StatusConflict))
	g.Expect(refused.body).To(ContainSubstring("spec.upload.allowOverwrite"))

	var list struct{ Charts []map[string]any }
	g.Expect(json.Unmarshal([]byte(m.send(http.MethodGet, "/upload/market/team/", all, nil).body), &list)).To(Succeed())
	g.Expect(list.Charts).To(ConsistOf(And(HaveKeyWithValue("file", "web-1.0.0.tgz"), HaveKeyWithValue("digest", chart.Digest(archive)))))

	m.users = []types.NamespacedName{{Namespace: "shop", Name: "web"}, {Namespace: "secret", Name: "hidden"}}
	inUse := m.send(http.MethodDelete, webFile, all+",shop", nil)
	g.Expect(inUse.status).To(Equal(http.StatusConflict))
	g.Expect(inUse.body).To(Equal("web-1.0.0.tgz is installed by 1 instance of other namespaces, and by shop/web: uninstall or upgrade the instances first\n"))
	m.users = nil
	g.Expect(m.send(http.MethodDelete, webFile, all, nil).status).To(Equal(http.StatusNoContent))
	g.Expect(m.send(http.MethodDelete, webFile, all, nil).status).To(Equal(http.StatusNotFound))
	g.Expect(m.send(http.MethodGet, "/upload/market/team/", all, nil).body).To(Equal("{\"charts\":[]}\n"))
}

func TestInterruptedUploadResumes(t *testing.T) {
	g, m := NewWithT(t), startMarket(t)
	archive := newArchive(t, "web", "1.0.0", strings.Repeat("content ", 100))
	path := webFile + "?digest=" + chart.Digest(archive)
	total, half := len(archive), len(archive)/2
	ask := func() response {
		return m.send(http.MethodPut, path, all, nil, "Content-Range", fmt.Sprintf("bytes */%d", total))
	}
	none := ask()
	g.Expect(none.status).To(Equal(http.StatusPermanentRedirect))
	g.Expect(none.header.Get("Range")).To(BeEmpty())

	conn, err := net.Dial("tcp", strings.TrimPrefix(m.url, "http://"))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", path, all, total, archive[:half])
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(func() int64 {
		info, err := os.Stat(filepath.Join(m.dir, "incoming/market/team", "partial-"+uploads.SessionIDFor(chart.Digest(archive))))
		if err != nil {
			return -1
		}
		return info.Size()
	}).WithTimeout(10 * time.Second).Should(BeEquivalentTo(half))
	g.Expect(ask().header.Get("Range")).To(Equal(fmt.Sprintf("bytes=0-%d", half-1)), "the new request ends the one that receives nothing")
	g.Expect(conn.Close()).To(Succeed())

	gap := m.send(http.MethodPut, path, all, archive[half+1:], "Content-Range", fmt.Sprintf("bytes %d-%d/%d", half+1, total-1, total))
	g.Expect(gap.status).To(Equal(http.StatusRequestedRangeNotSatisfiable))
	rest := m.send(http.MethodPut, path, all, archive[half:], "Content-Range", fmt.Sprintf("bytes %d-%d/%d", half, total-1, total))
	g.Expect(rest.status).To(Equal(http.StatusCreated), rest.body)
	g.Expect(m.send(http.MethodHead, path, all, nil).status).To(Equal(http.StatusOK))
	g.Expect(ask().status).To(Equal(http.StatusOK), "known bytes are accepted without content")
}

func TestUnauthorizedResponsesAreAlike(t *testing.T) {
	g, m := NewWithT(t), startMarket(t)
	archive := newArchive(t, "web", "1.0.0", "a")
	g.Expect(m.send(http.MethodPut, webFile, all, archive).status).To(Equal(http.StatusCreated))
	requests := [][2]string{
		{http.MethodPut, "/upload/market/%s/web-1.0.0.tgz"}, {http.MethodHead, "/upload/market/%s/web-1.0.0.tgz"},
		{http.MethodDelete, "/upload/market/%s/web-1.0.0.tgz"}, {http.MethodGet, "/upload/market/%s/"},
		{http.MethodGet, "/v2/market/%s/web/tags/list"}, {http.MethodGet, "/v2/market/%s/web/manifests/1.0.0"},
		{http.MethodPut, "/v2/market/%s/web/manifests/1.0.0"}, {http.MethodPost, "/v2/market/%s/web/blobs/uploads/"},
		{http.MethodHead, "/v2/market/%s/web/blobs/" + chart.Digest(archive)},
	}
	for _, c := range []struct {
		token  string
		status int
	}{{"", http.StatusUnauthorized}, {"nothing", http.StatusForbidden}, {"broken", http.StatusServiceUnavailable}} {
		for _, r := range requests {
			var responses []response
			for _, source := range []string{"team", "absent", "Not-A-Name"} {
				got := m.send(r[0], fmt.Sprintf(r[1], source), c.token, archive)
				got.header.Del("Date")
				responses = append(responses, got)
			}
			g.Expect(responses[0].status).To(Equal(c.status), "%v", r)
			g.Expect(responses[1:]).To(HaveEach(responses[0]), "%v", r)
		}
	}
	for _, token := range []string{"get", "create", "delete"} {
		status := m.send(http.MethodDelete, webFile, token, nil).status
		if token == "delete" {
			g.Expect(status).NotTo(Equal(http.StatusForbidden))
		} else {
			g.Expect(status).To(Equal(http.StatusForbidden), token)
		}
	}
	g.Expect(m.send(http.MethodPut, "/upload/market/absent/web-1.0.0.tgz", all, archive).status).To(Equal(http.StatusNotFound))
	m.ready = false
	g.Expect(m.send(http.MethodGet, "/upload/market/team/", all, nil).status).To(Equal(http.StatusServiceUnavailable))
}

func TestHostileUploads(t *testing.T) {
	archive := newArchive(t, "web", "1.0.0", "a")
	digest := chart.Digest(archive)
	other := chart.Digest([]byte("other"))
	for _, c := range []struct {
		why, method, path string
		content           []byte
		headers           []string
		status            int
	}{
		{"a file name that is no chart", "PUT", "/upload/market/team/web.tgz", archive, nil, http.StatusBadRequest},
		{"a hidden file", "PUT", "/upload/market/team/.web-1.0.0.tgz", archive, nil, http.StatusBadRequest},
		{"a path", "PUT", "/upload/market/team/../web-1.0.0.tgz", archive, nil, http.StatusNotFound},
		{"an encoded path", "PUT", "/upload/market/team/..%2F..%2Fweb-1.0.0.tgz", archive, nil, http.StatusNotFound},
		{"an absolute path", "PUT", "/upload/market/team//etc/web-1.0.0.tgz", archive, nil, http.StatusNotFound},
		{"a name with a space", "PUT", "/upload/market/team/web%20-1.0.0.tgz", archive, nil, http.StatusBadRequest},
		{"a name with a line break", "PUT", "/upload/market/team/web%0a-1.0.0.tgz", archive, nil, http.StatusBadRequest},
		{"a name in upper case", "PUT", "/upload/market/team/Web-1.0.0.tgz", archive, nil, http.StatusBadRequest},
		{"a digest of another algorithm", "PUT", webFile + "?digest=sha512:" + strings.Repeat("0", 128), archive, nil, http.StatusBadRequest},
		{"an encoded backslash", "PUT", "/upload/market/team/..%5Cweb-1.0.0.tgz", archive, nil, http.StatusBadRequest},
		{"a null byte", "PUT", "/upload/market/team/web-1.0.0%00.tgz", archive, nil, http.StatusBadRequest},
		{"a long file name", "PUT", "/upload/market/team/" + strings.Repeat("a", 4000) + "-1.0.0.tgz", archive, nil, http.StatusBadRequest},
		{"the name of another chart", "PUT", "/upload/market/team/api-1.0.0.tgz", archive, nil, http.StatusUnprocessableEntity},
		{"not an archive", "PUT", webFile, []byte("text"), nil, http.StatusUnprocessableEntity},
		{"another digest", "PUT", webFile + "?digest=" + other, archive, nil, http.StatusBadRequest},
		{"an invalid digest", "PUT", webFile + "?digest=sha256:../../x", archive, nil, http.StatusBadRequest},
		{"a range without a digest", "PUT", webFile, archive, []string{"Content-Range", "bytes 0-9/10"}, http.StatusBadRequest},
		{"a range that differs from the content", "PUT", webFile + "?digest=" + digest, archive, []string{"Content-Range", "bytes 0-1/9"}, http.StatusBadRequest},
		{"a large total", "PUT", webFile + "?digest=" + digest, nil, []string{"Content-Range", "bytes */9999999999"}, http.StatusRequestEntityTooLarge},
		{"large content", "PUT", webFile, make([]byte, chart.MaxArchiveBytes+1), nil, http.StatusRequestEntityTooLarge},
		{"another method", "POST", webFile, archive, nil, http.StatusMethodNotAllowed},
		{"a manifest that is not JSON", "PUT", "/v2/market/team/web/manifests/1.0.0", []byte("{"), nil, http.StatusUnprocessableEntity},
		{"a manifest of an image", "PUT", "/v2/market/team/web/manifests/1.0.0", []byte(`{"schemaVersion":2}`), nil, http.StatusUnprocessableEntity},
		{"a large manifest", "PUT", "/v2/market/team/web/manifests/1.0.0", make([]byte, uploads.MaxManifestBytes+1), nil, http.StatusRequestEntityTooLarge},
		{"a manifest whose content is missing", "PUT", "/v2/market/team/web/manifests/1.0.0", newManifest(digest, other), nil, http.StatusBadRequest},
		{"a manifest with another digest", "PUT", "/v2/market/team/web/manifests/" + other, newManifest(digest, other), nil, http.StatusBadRequest},
		{"a manifest with a negative size", "PUT", "/v2/market/team/web/manifests/1.0.0", bytes.ReplaceAll(newManifest(digest, other), []byte(`"size":9`), []byte(`"size":-9`)), nil, http.StatusBadRequest},
		{"a manifest with a large archive", "PUT", "/v2/market/team/web/manifests/1.0.0", bytes.ReplaceAll(newManifest(digest, other), []byte(`"size":9`), []byte(`"size":99999999999`)), nil, http.StatusUnprocessableEntity},
		{"a manifest whose digest is a path", "PUT", "/v2/market/team/web/manifests/1.0.0", newManifest("sha256:../../../etc/passwd", other), nil, http.StatusUnprocessableEntity},
		{"a tag that is a path", "PUT", "/v2/market/team/web/manifests/..%2F..%2F1.0.0", newManifest(digest, other), nil, http.StatusBadRequest},
		{"a repository in upper case", "GET", "/v2/market/team/Web/tags/list", nil, nil, http.StatusBadRequest},
		{"a repository that is a path", "GET", "/v2/market/team/../tags/list", nil, nil, http.StatusBadRequest},
		{"an unknown session", "PATCH", "/v2/market/team/web/blobs/uploads/" + strings.Repeat("A", 26), archive, nil, http.StatusNotFound},
		{"a session that is a path", "PATCH", "/v2/market/team/web/blobs/uploads/..%2Fx", archive, nil, http.StatusNotFound},
		{"a blob that is a path", "GET", "/v2/market/team/web/blobs/sha256:..%2F..%2Fx", nil, nil, http.StatusNotFound},
		{"a blob without a digest", "POST", "/v2/market/team/web/blobs/uploads/?digest=x", archive, nil, http.StatusBadRequest},
		{"the catalog", "GET", "/v2/_catalog", nil, nil, http.StatusForbidden},
	} {
		t.Run(c.why, func(t *testing.T) {
			g, m := NewWithT(t), startMarket(t)
			got := m.send(c.method, c.path, all, c.content, c.headers...)
			g.Expect(got.status).To(Equal(c.status), got.body)
			g.Expect(len(got.body)).To(BeNumerically("<", 1500))
			_, _, err := m.store.List(team)
			g.Expect(err).To(HaveOccurred(), "nothing was accepted")
			g.Expect(m.changed).To(BeEmpty())
		})
	}
}

// TestConcurrentUploadsOfOneVersion uploads different content as the same version: one is accepted.
func TestConcurrentUploadsOfOneVersion(t *testing.T) {
	g, m := NewWithT(t), startMarket(t)
	statuses := make([]int, server.MaxNamespaceUploads)
	var uploading sync.WaitGroup
	for i := range statuses {
		archive := newArchive(t, "web", "1.0.0", strings.Repeat("x", i))
		uploading.Go(func() { statuses[i] = m.send(http.MethodPut, webFile, all, archive).status })
	}
	uploading.Wait()
	slices.Sort(statuses)
	g.Expect(statuses).To(Equal([]int{http.StatusCreated, http.StatusConflict, http.StatusConflict, http.StatusConflict}))
	charts, damaged, err := m.store.List(team)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(damaged).To(BeEmpty())
	g.Expect(charts).To(HaveLen(1))
}

func TestSlowAndConcurrentUploadsAreLimited(t *testing.T) {
	g, m := NewWithT(t), startMarketWithIdle(t, 8*time.Second)
	var open []net.Conn
	for range server.MaxNamespaceUploads {
		conn, err := net.Dial("tcp", strings.TrimPrefix(m.url, "http://"))
		g.Expect(err).NotTo(HaveOccurred())
		defer func() { _ = conn.Close() }()
		_, err = fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", webFile, all)
		g.Expect(err).NotTo(HaveOccurred())
		open = append(open, conn)
	}
	archive := newArchive(t, "web", "1.0.0", "a")
	g.Eventually(func() ([]string, error) {
		return filepath.Glob(filepath.Join(m.dir, "incoming/market/team/partial-*"))
	}).WithTimeout(7*time.Second).WithPolling(10*time.Millisecond).Should(HaveLen(server.MaxNamespaceUploads), "all uploads are in progress")
	g.Expect(m.send(http.MethodPut, webFile, all, archive).status).To(Equal(http.StatusTooManyRequests))
	for _, conn := range open {
		g.Expect(conn.SetReadDeadline(time.Now().Add(10 * time.Second))).To(Succeed())
		text, err := io.ReadAll(conn)
		g.Expect(err).NotTo(HaveOccurred(), "the connection is closed after the idle time")
		g.Expect(string(text)).To(HavePrefix("HTTP/1.1 408"))
	}
	g.Eventually(func() int { return m.send(http.MethodPut, webFile, all, archive).status }).WithTimeout(10 * time.Second).Should(Or(Equal(http.StatusCreated), Equal(http.StatusOK)))
}

// newManifest returns a manifest as helm push writes it.
