package chartrepo_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/test/testbucket"
)

// openReplica opens a store that changes no files, as on a replica that is not the leader.
func openReplica(t *testing.T, dir string) (*chartrepo.Store, *damageRecorder) {
	t.Helper()
	recorder := &damageRecorder{}
	return bucketKind.openStoreWith(t, dir, chartrepo.Options{
		CanChange: func() bool { return false }, OnDamaged: recorder.recordDamage, CacheBytes: -1,
	}), recorder
}

// rejectWith is a Fault that rejects requests with an error code, by their method if it is not empty.
func rejectWith(method string, status int, code string) testbucket.Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if method != "" && r.Method != method {
			return false
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code></Error>")
		return true
	}
}

func TestReplicasServeTheSame(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	writer := bucketKind.openStore(t, dir, nil)
	replica, recorder := openReplica(t, dir)
	refresh := func() {
		t.Helper()
		_, err := replica.Refresh()
		g.Expect(err).NotTo(HaveOccurred())
	}
	web, wiki := newPublication(t, main, "web", "1.0.0"), newPublication(t, main, "wiki", "1.0.0")
	published := publishAll(t, writer, web, wiki)
	refresh()
	g.Expect(replica.Entries()).To(Equal(writer.Entries()))
	handlers := []http.Handler{
		chartrepo.Handler(writer, chartrepo.HandlerOptions{}), chartrepo.Handler(replica, chartrepo.HandlerOptions{}),
	}
	for _, path := range []string{"/market/main/index.yaml", "/" + published[0].Chart, "/" + published[1].Report + "/README.md"} {
		first, second := getPath(t, handlers[0], path), getPath(t, handlers[1], path)
		g.Expect(first.Code).To(Equal(http.StatusOK), path)
		g.Expect(second.Body.String()).To(Equal(first.Body.String()), path)
		g.Expect(second.Header().Get("ETag")).To(Equal(first.Header().Get("ETag")), path)
	}
	part := getPath(t, handlers[1], "/"+published[0].Chart, "Range", "bytes=5-9")
	g.Expect(part.Code).To(Equal(http.StatusPartialContent))
	g.Expect(part.Body.String()).To(Equal(string(web.Archive[5:10])))

	before := serviceOf(t, dir).Requests.Load()
	refresh()
	g.Expect(serviceOf(t, dir).Requests.Load()-before).To(Equal(int64(1)), "one list, and no record is read again")

	g.Expect(writer.Remove(main, "wiki")).To(Succeed())
	publishAll(t, writer, newPublicationWith(t, main, "web", "1.0.0", []byte("changed")))
	refresh()
	g.Expect(replica.Entries()).To(Equal(writer.Entries()))
	g.Expect(recorder.damagedApps()).To(Equal([]string{"wiki 1.0.0"}))
}

// TestReplicaChangesNoFiles damages files in all ways: a replica serves none of them, and leaves the
// removal to the leader.
func TestReplicaChangesNoFiles(t *testing.T) {
	for _, c := range bucketKind.possibleDamages() {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			dir := t.TempDir()
			p := newPublication(t, main, "web", "1.0.0")
			published := publishAll(t, bucketKind.openStore(t, dir, nil), p, newPublication(t, main, "web", "2.0.0"))[0]
			replica, _ := openReplica(t, dir)
			c.do(t, dir, p, "sha256:"+strings.TrimPrefix(published.Report, "reports/"))
			damaged := readFiles(t, dir)
			handler := chartrepo.Handler(replica, chartrepo.HandlerOptions{})
			for range 2 {
				answer := getPath(t, handler, "/"+published.Chart)
				if answer.Code == http.StatusOK {
					g.Expect(answer.Body.Bytes()).To(Equal(p.Archive))
				}
				_, err := replica.Reload()
				g.Expect(err).NotTo(HaveOccurred())
			}
			after := readFiles(t, dir)
			maps.DeleteFunc(after, func(name, _ string) bool { return strings.HasPrefix(name, "damaged/") })
			g.Expect(after).To(Equal(damaged), "except for marks for the leader")
		})
	}
}

// TestContentWithoutEnd replaces an archive with content that is larger than any archive. It is not read.
func TestContentWithoutEnd(t *testing.T) {
	g := NewWithT(t)
	dir, recorder := t.TempDir(), &damageRecorder{}
	store := bucketKind.openStoreWith(t, dir, chartrepo.Options{OnDamaged: recorder.recordDamage, CacheBytes: -1})
	p := newPublication(t, main, "web", "1.0.0")
	path := "/" + publishAll(t, store, p)[0].Chart
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{})
	var sent atomic.Int64
	serviceOf(t, dir).SetFault(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.Method == http.MethodDelete || !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(1<<40))
		w.Header().Set("Last-Modified", noon.Format(http.TimeFormat))
		w.Header().Set("ETag", `"large"`)
		for r.Method == http.MethodGet {
			n, err := w.Write(make([]byte, 64<<10))
			if sent.Add(int64(n)); err != nil {
				break
			}
		}
		return true
	})
	g.Expect(getPath(t, handler, path).Code).NotTo(Equal(http.StatusOK))
	g.Expect(recorder.damagedApps()).To(Equal([]string{"web 1.0.0"}))
	g.Expect(sent.Load()).To(BeNumerically("<", 64<<20), "the buffers of the connection")
}

// TestBucketThatCannotBeRead checks that versions stay published while nothing is known about their
// files.
func TestBucketThatCannotBeRead(t *testing.T) {
	for why, fault := range map[string]testbucket.Fault{
		"denied":      rejectWith("", http.StatusForbidden, "AccessDenied"),
		"missing":     rejectWith("", http.StatusNotFound, "NoSuchBucket"),
		"unavailable": rejectWith("", http.StatusServiceUnavailable, "SlowDown"),
		"another service": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
			_, err := io.WriteString(w, "<html>Welcome</html>")
			return err == nil
		},
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			dir, recorder := t.TempDir(), &damageRecorder{}
			store := bucketKind.openStore(t, dir, recorder)
			p := newPublication(t, main, "web", "1.0.0")
			path := "/" + publishAll(t, store, p)[0].Chart
			before := readFiles(t, dir)
			handler := chartrepo.Handler(store, chartrepo.HandlerOptions{})
			serviceOf(t, dir).SetFault(fault)

			g.Expect(getPath(t, handler, path).Code).To(Equal(http.StatusServiceUnavailable))
			for _, read := range []func() ([]chartrepo.DamagedRecord, error){
				store.Reload, store.Refresh, func() ([]chartrepo.DamagedRecord, error) { return store.Scrub(context.Background()) },
			} {
				_, err := read()
				g.Expect(err).To(MatchError(chartrepo.ErrUnavailable))
			}
			g.Expect(store.Check(t.Context())).To(HaveOccurred())
			g.Expect(store.Has(main, "web", "1.0.0", p.Digest)).To(BeTrue())
			_, err := bucketKind.open(t, dir, chartrepo.Options{})
			g.Expect(err).To(MatchError(chartrepo.ErrUnavailable))

			serviceOf(t, dir).SetFault(nil)
			g.Expect(getPath(t, handler, path).Body.Bytes()).To(Equal(p.Archive))
			g.Expect(store.Check(t.Context())).To(Succeed())
			g.Expect(recorder.damagedApps()).To(BeEmpty())
			g.Expect(readFiles(t, dir)).To(Equal(before))
		})
	}
}

// TestBucketThatCannotBeWritten checks that a failed publication leaves nothing behind, and is
// reported once the bucket can be written.
func TestBucketThatCannotBeWritten(t *testing.T) {
	for why, c := range map[string]struct {
		status       int
		code, reason string
	}{
		"full":        {http.StatusForbidden, "QuotaExceeded", v1alpha1.ReasonStorageFull},
		"read-only":   {http.StatusForbidden, "AccessDenied", v1alpha1.ReasonStorageReadOnly},
		"unavailable": {http.StatusServiceUnavailable, "SlowDown", v1alpha1.ReasonStorageFailed},
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			dir, recorder := t.TempDir(), &appRecorder{}
			store := bucketKind.openStoreWith(t, dir, chartrepo.Options{OnWritable: recorder.recordApp})
			old, next := newPublication(t, main, "web", "1.0.0"), newPublication(t, main, "web", "2.0.0")
			publishAll(t, store, old)
			before := readFiles(t, dir)
			serviceOf(t, dir).SetFault(rejectWith(http.MethodPut, c.status, c.code))

			_, err := store.Publish(t.Context(), next)
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), "%v", err)
			g.Expect(outcome.IsStalled(err)).To(BeFalse())
			g.Expect(store.CheckWritten(t.Context())).To(HaveOccurred())
			g.Expect(store.Check(t.Context())).To(Succeed(), "published versions are served")
			g.Expect(readFiles(t, dir)).To(Equal(before))
			publishAll(t, store, old) // already published

			ctx, cancel := context.WithCancel(t.Context())
			stopped := make(chan error, 1)
			go func() { stopped <- (&chartrepo.WriteCheck{Store: store, Interval: 10 * time.Millisecond}).Start(ctx) }()
			g.Consistently(recorder.recordedApps, "100ms").Should(BeEmpty())
			serviceOf(t, dir).SetFault(nil)
			g.Eventually(recorder.recordedApps, "10s").Should(Equal([]string{"main/web"}))
			cancel()
			g.Expect(<-stopped).To(Succeed())
			g.Expect(readFiles(t, dir)).To(Equal(before), "the check leaves nothing behind")
			publishAll(t, store, next)
		})
	}
}

// TestWriterKilledBetweenBlobAndRecord checks that content without a record is not served, and is
// swept.
func TestWriterKilledBetweenBlobAndRecord(t *testing.T) {
	g := NewWithT(t)
	dir, recorder := t.TempDir(), &damageRecorder{}
	p, orphan := newPublication(t, main, "web", "1.0.0"), newPublication(t, main, "web", "2.0.0")
	publishAll(t, bucketKind.openStore(t, dir, nil), p)
	before := readFiles(t, dir)
	g.Expect(os.MkdirAll(filepath.Dir(blobFile(dir, orphan.Digest)), 0o755)).To(Succeed())
	writeFile(t, blobFile(dir, orphan.Digest), string(orphan.Archive))

	store := bucketKind.openStore(t, dir, recorder)
	g.Expect(publishedNames(store)).To(Equal([]string{"main/web 1.0.0"}))
	g.Expect(recorder.damagedApps()).To(BeEmpty())
	swept, err := store.Sweep(t.Context(), nil, 0)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(swept).To(Equal(chartrepo.SweepResult{Files: 1, Bytes: int64(len(orphan.Archive))}))
	g.Expect(readFiles(t, dir)).To(Equal(before))
}
