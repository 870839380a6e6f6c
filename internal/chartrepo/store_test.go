package chartrepo_test

import (
	"context"
	"io/fs"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/outcome"
)

func TestPublishedIsThereAfterReopening(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	p := chart(t, main, "web", "1.2.0")
	published := publish(t, open(t, dir, nil), p)[0]
	g.Expect(published.Digest).To(gomega.Equal(p.Digest))
	g.Expect(published.Chart).To(gomega.Equal("market/main/charts/web-1.2.0.tgz"))
	g.Expect(published.Report).To(gomega.MatchRegexp(`^reports/[0-9a-f]{64}$`))

	heard := &reports{}
	again := open(t, dir, heard)
	g.Expect(heard.apps()).To(gomega.BeEmpty())
	g.Expect(again.Entries()).To(gomega.Equal([]chartrepo.Entry{{
		Owner: main, App: "web", Version: "1.2.0", Published: published, Size: int64(len(p.Archive)), Created: noon,
	}}))
	archive, err := again.Archive(p.Digest)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(archive).To(gomega.Equal(p.Archive))
	_, err = again.Archive(digestOf([]byte("other")))
	g.Expect(err).To(gomega.MatchError(fs.ErrNotExist))
	_, err = again.Archive("sha256:../../records")
	g.Expect(err).To(gomega.MatchError(fs.ErrNotExist), "only a digest becomes a path")
}

func TestSamePublicationWritesNothing(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	p := chart(t, main, "web", "1.2.0")
	first := publish(t, open(t, dir, nil), p)
	before := files(t, dir)

	later := openWith(t, dir, chartrepo.Options{Now: func() time.Time { return noon.Add(time.Hour) }})
	g.Expect(publish(t, later, p, p)[0]).To(gomega.Equal(first[0]))
	g.Expect(files(t, dir)).To(gomega.Equal(before), "the time of the first publication stays")

	p.Reports["values.yaml"] = []byte("b: 2\n")
	changed := publish(t, later, p)[0]
	g.Expect(changed.Report).NotTo(gomega.Equal(first[0].Report))
	g.Expect(later.Entries()[0].Created).To(gomega.Equal(noon), "the digest of the chart is the same")

	other := publish(t, later, chartOf(t, main, "web", "1.2.0", []byte("other")))[0]
	g.Expect(other.Digest).NotTo(gomega.Equal(p.Digest))
	g.Expect(later.Entries()[0].Created).To(gomega.Equal(noon.Add(time.Hour)))
}

func TestSameContentGivesSameBytesElsewhere(t *testing.T) {
	g := gomega.NewWithT(t)
	here, there := t.TempDir(), t.TempDir()
	a, b := chart(t, main, "a", "1.0.0"), chart(t, main, "b", "1.0.0")
	publish(t, open(t, here, nil), a, b)
	publish(t, open(t, there, nil), b, a)
	g.Expect(files(t, there)).To(gomega.Equal(files(t, here)))
}

func TestHasAsksForDigestAndFiles(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	store := open(t, dir, nil)
	p := chart(t, main, "web", "1.2.0")
	published := publish(t, store, p)[0]
	g.Expect(store.Has(main, "web", "1.2.0", p.Digest)).To(gomega.BeTrue())
	g.Expect(store.Has(main, "web", "1.2.0", digestOf(nil))).To(gomega.BeFalse(), "another digest")
	g.Expect(store.Has(main, "web", "1.2.1", p.Digest)).To(gomega.BeFalse(), "another version")
	g.Expect(store.Has(extra, "web", "1.2.0", p.Digest)).To(gomega.BeFalse(), "another source")

	remove(t, blobFile(dir, "sha256:"+published.Report[len("reports/"):]))
	g.Expect(store.Has(main, "web", "1.2.0", p.Digest)).To(gomega.BeFalse(), "its reports are gone")
	publish(t, store, p)
	g.Expect(store.Has(main, "web", "1.2.0", p.Digest)).To(gomega.BeTrue(), "published again")
	truncate(t, blobFile(dir, p.Digest))
	g.Expect(store.Has(main, "web", "1.2.0", p.Digest)).To(gomega.BeFalse(), "its archive is cut")
}

func TestRemoveKeepsWhatItIsTold(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	store := open(t, dir, nil)
	old := chart(t, main, "web", "1.0.0")
	publish(t, store, old, chart(t, main, "web", "2.0.0"), chart(t, main, "db", "1.0.0"), chart(t, extra, "web", "1.0.0"))

	g.Expect(store.Remove(main, "web", "2.0.0", "9.9.9")).To(gomega.Succeed())
	g.Expect(names(store)).To(gomega.Equal([]string{"extra/web 1.0.0", "main/db 1.0.0", "main/web 2.0.0"}))
	g.Expect(store.Remove(main, "web")).To(gomega.Succeed())
	g.Expect(store.Remove(main, "web")).To(gomega.Succeed(), "twice is as good as once")
	g.Expect(store.Remove(main, "../../extra")).To(gomega.Succeed(), "nothing has that name")
	g.Expect(names(store)).To(gomega.Equal([]string{"extra/web 1.0.0", "main/db 1.0.0"}))
	g.Expect(names(open(t, dir, nil))).To(gomega.Equal(names(store)))
	_, err := store.Archive(old.Digest)
	g.Expect(err).NotTo(gomega.HaveOccurred(), "the blob stays until it is swept")
}

func TestPublicationThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(*hydrate.Publication)
		reason string
	}{
		{"path in the namespace", func(p *hydrate.Publication) { p.Owner.Namespace = "../x" }, v1alpha1.ReasonInvalidChart},
		{"empty source", func(p *hydrate.Publication) { p.Owner.Source = "" }, v1alpha1.ReasonInvalidChart},
		{"path in the app", func(p *hydrate.Publication) {
			p.App, p.Chart = "a/b", []byte(`{"name":"a/b","version":"1.0.0"}`)
		}, v1alpha1.ReasonInvalidChart},
		{"hidden app, as temporary files are", func(p *hydrate.Publication) {
			p.App, p.Chart = ".a", []byte(`{"name":".a","version":"1.0.0"}`)
		}, v1alpha1.ReasonInvalidChart},
		{"path in the version", func(p *hydrate.Publication) {
			p.Version, p.Chart = "1/0", []byte(`{"name":"web","version":"1/0"}`)
		}, v1alpha1.ReasonInvalidChart},
		{"version that is not semantic", func(p *hydrate.Publication) {
			p.Version, p.Chart = "latest", []byte(`{"name":"web","version":"latest"}`)
		}, v1alpha1.ReasonInvalidChart},
		{"chart of another name", func(p *hydrate.Publication) { p.Chart = []byte(`{"name":"x","version":"1.0.0"}`) }, v1alpha1.ReasonInvalidChart},
		{"chart that is no object", func(p *hydrate.Publication) { p.Chart = []byte(`[]`) }, v1alpha1.ReasonInvalidChart},
		{"digest of something else", func(p *hydrate.Publication) { p.Digest = digestOf(nil) }, v1alpha1.ReasonDigestMismatch},
		{"report with a path", func(p *hydrate.Publication) { p.Reports = map[string][]byte{"../a": nil} }, v1alpha1.ReasonInvalidChart},
		{"reports without end", func(p *hydrate.Publication) { p.Reports = map[string][]byte{"a": make([]byte, 65<<20)} }, v1alpha1.ReasonLimitExceeded},
		{"archive over the limit", func(p *hydrate.Publication) { p.Archive = make([]byte, hydrate.MaxArchiveBytes+1) }, v1alpha1.ReasonLimitExceeded},
		{"name of another app's archive", func(p *hydrate.Publication) {
			p.App, p.Version, p.Chart = "other-1.0.0", "2.0.0", []byte(`{"name":"other-1.0.0","version":"2.0.0"}`)
		}, v1alpha1.ReasonInvalidChart},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := gomega.NewWithT(t)
			dir := t.TempDir()
			store := open(t, dir, nil)
			publish(t, store, chart(t, main, "other", "1.0.0-2.0.0"))
			before := files(t, dir)
			p := chart(t, main, "web", "1.0.0")
			c.change(&p)
			_, err := store.Publish(context.Background(), p)
			g.Expect(outcome.IsStalled(err)).To(gomega.BeTrue(), "%v", err)
			g.Expect(outcome.Reason(err, "")).To(gomega.Equal(c.reason), "%v", err)
			g.Expect(files(t, dir)).To(gomega.Equal(before), "nothing is left behind")
		})
	}
}

func TestPublishEndsWithItsContext(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := open(t, dir, nil).Publish(ctx, chart(t, main, "web", "1.0.0"))
	g.Expect(err).To(gomega.MatchError(context.Canceled))
	g.Expect(files(t, dir)).To(gomega.BeEmpty())
}

func TestReloadFollowsAnotherProcess(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	heard := &reports{}
	writer, reader := open(t, dir, nil), open(t, dir, heard)
	publish(t, writer, chart(t, main, "a", "1.0.0"), chart(t, main, "b", "1.0.0"))
	found, err := reader.Reload()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(found).To(gomega.BeEmpty())
	g.Expect(names(reader)).To(gomega.Equal([]string{"main/a 1.0.0", "main/b 1.0.0"}))

	g.Expect(writer.Remove(main, "a")).To(gomega.Succeed())
	publish(t, writer, chartOf(t, main, "b", "1.0.0", []byte("new")))
	_, err = reader.Reload()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(reader.Entries()).To(gomega.Equal(writer.Entries()))
	g.Expect(heard.apps()).To(gomega.Equal([]string{"a 1.0.0"}))
}
