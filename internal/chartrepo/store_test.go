package chartrepo_test

import (
	"context"
	"io/fs"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/outcome"
)

func TestPublicationsSurviveReopening(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		p := newPublication(t, main, "web", "1.2.0")
		published := publishAll(t, in.openStore(t, dir, nil), p)[0]
		g.Expect(published.Digest).To(gomega.Equal(p.Digest))
		g.Expect(published.Chart).To(gomega.Equal("market/main/charts/web-1.2.0.tgz"))
		g.Expect(published.Report).To(gomega.MatchRegexp(`^reports/[0-9a-f]{64}$`))

		recorder := &damageRecorder{}
		again := in.openStore(t, dir, recorder)
		g.Expect(recorder.damagedApps()).To(gomega.BeEmpty())
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
	})
}

func TestSamePublicationWritesNothing(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		p := newPublication(t, main, "web", "1.2.0")
		first := publishAll(t, in.openStore(t, dir, nil), p)
		before := readFiles(t, dir)

		later := in.openStoreWith(t, dir, chartrepo.Options{Now: func() time.Time { return noon.Add(time.Hour) }})
		g.Expect(publishAll(t, later, p, p)[0]).To(gomega.Equal(first[0]))
		g.Expect(readFiles(t, dir)).To(gomega.Equal(before), "the time of the first publication stays")

		p.Reports["values.yaml"] = []byte("b: 2\n")
		changed := publishAll(t, later, p)[0]
		g.Expect(changed.Report).NotTo(gomega.Equal(first[0].Report))
		g.Expect(later.Entries()[0].Created).To(gomega.Equal(noon), "the digest of the chart is the same")

		other := publishAll(t, later, newPublicationWith(t, main, "web", "1.2.0", []byte("other")))[0]
		g.Expect(other.Digest).NotTo(gomega.Equal(p.Digest))
		g.Expect(later.Entries()[0].Created).To(gomega.Equal(noon.Add(time.Hour)))
	})
}

func TestSameContentResultsInSameBytes(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		here, there := t.TempDir(), t.TempDir()
		a, b := newPublication(t, main, "a", "1.0.0"), newPublication(t, main, "b", "1.0.0")
		publishAll(t, in.openStore(t, here, nil), a, b)
		publishAll(t, in.openStore(t, there, nil), b, a)
		g.Expect(readFiles(t, there)).To(gomega.Equal(readFiles(t, here)))
	})
}

func TestHasChecksDigestAndFiles(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		store := in.openStore(t, dir, nil)
		p := newPublication(t, main, "web", "1.2.0")
		published := publishAll(t, store, p)[0]
		g.Expect(store.Has(main, "web", "1.2.0", p.Digest)).To(gomega.BeTrue())
		g.Expect(store.Has(main, "web", "1.2.0", digestOf(nil))).To(gomega.BeFalse(), "another digest")
		g.Expect(store.Has(main, "web", "1.2.1", p.Digest)).To(gomega.BeFalse(), "another version")
		g.Expect(store.Has(extra, "web", "1.2.0", p.Digest)).To(gomega.BeFalse(), "another source")

		removeFile(t, blobFile(dir, "sha256:"+published.Report[len("reports/"):]))
		g.Expect(store.Has(main, "web", "1.2.0", p.Digest)).To(gomega.BeFalse(), "missing reports")
		publishAll(t, store, p)
		g.Expect(store.Has(main, "web", "1.2.0", p.Digest)).To(gomega.BeTrue(), "published again")
		truncateFile(t, blobFile(dir, p.Digest))
		g.Expect(store.Has(main, "web", "1.2.0", p.Digest)).To(gomega.BeFalse(), "truncated archive")
	})
}

func TestRemoveKeepsVersions(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		store := in.openStore(t, dir, nil)
		old := newPublication(t, main, "web", "1.0.0")
		publishAll(t, store, old, newPublication(t, main, "web", "2.0.0"), newPublication(t, main, "db", "1.0.0"), newPublication(t, extra, "web", "1.0.0"))

		g.Expect(store.Remove(main, "web", "2.0.0", "9.9.9")).To(gomega.Succeed())
		g.Expect(publishedNames(store)).To(gomega.Equal([]string{"extra/web 1.0.0", "main/db 1.0.0", "main/web 2.0.0"}))
		g.Expect(store.Remove(main, "web")).To(gomega.Succeed())
		g.Expect(store.Remove(main, "web")).To(gomega.Succeed(), "removing again does nothing")
		g.Expect(store.Remove(main, "../../extra")).To(gomega.Succeed(), "no app has that name")
		g.Expect(publishedNames(store)).To(gomega.Equal([]string{"extra/web 1.0.0", "main/db 1.0.0"}))
		g.Expect(publishedNames(in.openStore(t, dir, nil))).To(gomega.Equal(publishedNames(store)))
		_, err := store.Archive(old.Digest)
		g.Expect(err).NotTo(gomega.HaveOccurred(), "the blob stays until it is swept")
	})
}

func TestInvalidPublications(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		for _, c := range []struct {
			why    string
			change func(*hydrate.PublishRequest)
			reason string
		}{
			{"path in the namespace", func(p *hydrate.PublishRequest) { p.Owner.Namespace = "../x" }, v1alpha1.ReasonInvalidChart},
			{"empty source", func(p *hydrate.PublishRequest) { p.Owner.Source = "" }, v1alpha1.ReasonInvalidChart},
			{"path in the app", func(p *hydrate.PublishRequest) {
				p.App, p.Chart = "a/b", []byte(`{"name":"a/b","version":"1.0.0"}`)
			}, v1alpha1.ReasonInvalidChart},
			{"app with the prefix of temporary files", func(p *hydrate.PublishRequest) {
				p.App, p.Chart = ".a", []byte(`{"name":".a","version":"1.0.0"}`)
			}, v1alpha1.ReasonInvalidChart},
			{"path in the version", func(p *hydrate.PublishRequest) {
				p.Version, p.Chart = "1/0", []byte(`{"name":"web","version":"1/0"}`)
			}, v1alpha1.ReasonInvalidChart},
			{"version that is not semantic", func(p *hydrate.PublishRequest) {
				p.Version, p.Chart = "latest", []byte(`{"name":"web","version":"latest"}`)
			}, v1alpha1.ReasonInvalidChart},
			{"chart of another name", func(p *hydrate.PublishRequest) { p.Chart = []byte(`{"name":"x","version":"1.0.0"}`) }, v1alpha1.ReasonInvalidChart},
			{"chart metadata that is not an object", func(p *hydrate.PublishRequest) { p.Chart = []byte(`[]`) }, v1alpha1.ReasonInvalidChart},
			{"digest of other content", func(p *hydrate.PublishRequest) { p.Digest = digestOf(nil) }, v1alpha1.ReasonDigestMismatch},
			{"report with a path", func(p *hydrate.PublishRequest) { p.Reports = map[string][]byte{"../a": nil} }, v1alpha1.ReasonInvalidChart},
			{"reports over the limit", func(p *hydrate.PublishRequest) { p.Reports = map[string][]byte{"a": make([]byte, 65<<20)} }, v1alpha1.ReasonLimitExceeded},
			{"archive over the limit", func(p *hydrate.PublishRequest) { p.Archive = make([]byte, chart.MaxArchiveBytes+1) }, v1alpha1.ReasonLimitExceeded},
			{"archive name of another app", func(p *hydrate.PublishRequest) {
				p.App, p.Version, p.Chart = "other-1.0.0", "2.0.0", []byte(`{"name":"other-1.0.0","version":"2.0.0"}`)
			}, v1alpha1.ReasonInvalidChart},
		} {
			t.Run(c.why, func(t *testing.T) {
				g := gomega.NewWithT(t)
				dir := t.TempDir()
				store := in.openStore(t, dir, nil)
				publishAll(t, store, newPublication(t, main, "other", "1.0.0-2.0.0"))
				before := readFiles(t, dir)
				p := newPublication(t, main, "web", "1.0.0")
				c.change(&p)
				_, err := store.Publish(context.Background(), p)
				g.Expect(outcome.IsStalled(err)).To(gomega.BeTrue(), "%v", err)
				g.Expect(outcome.Reason(err, "")).To(gomega.Equal(c.reason), "%v", err)
				g.Expect(readFiles(t, dir)).To(gomega.Equal(before), "nothing is left behind")
			})
		}
	})
}

func TestPublishStopsWithItsContext(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := in.openStore(t, dir, nil).Publish(ctx, newPublication(t, main, "web", "1.0.0"))
		g.Expect(err).To(gomega.MatchError(context.Canceled))
		g.Expect(readFiles(t, dir)).To(gomega.BeEmpty())
	})
}

func TestReloadReadsChangesOfAnotherProcess(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		recorder := &damageRecorder{}
		writer, reader := in.openStore(t, dir, nil), in.openStore(t, dir, recorder)
		publishAll(t, writer, newPublication(t, main, "a", "1.0.0"), newPublication(t, main, "b", "1.0.0"))
		found, err := reader.Reload()
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(found).To(gomega.BeEmpty())
		g.Expect(publishedNames(reader)).To(gomega.Equal([]string{"main/a 1.0.0", "main/b 1.0.0"}))

		g.Expect(writer.Remove(main, "a")).To(gomega.Succeed())
		publishAll(t, writer, newPublicationWith(t, main, "b", "1.0.0", []byte("new")))
		_, err = reader.Reload()
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(reader.Entries()).To(gomega.Equal(writer.Entries()))
		g.Expect(recorder.damagedApps()).To(gomega.Equal([]string{"a 1.0.0", "b 1.0.0"}), "a version that is missing, and one that another process replaced")
	})
}
