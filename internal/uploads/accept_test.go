package uploads_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/uploads"
)

func TestAcceptedChartsSurviveARestart(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	store := openStore(t, dir, uploads.Options{})
	_, _, err := store.List(team)
	g.Expect(err).To(MatchError(fs.ErrNotExist), "nothing was uploaded")
	archive := newArchive(t, "web", "1.0.0+build.1", "a")
	accepted, isNew, err := upload(store, team, uploads.Limits{}, archive)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(isNew).To(BeTrue())
	g.Expect(accepted.AppVersion).To(Equal("one"))
	_, isNew, err = upload(store, team, uploads.Limits{}, archive)
	g.Expect(err).NotTo(HaveOccurred(), "the same content again")
	g.Expect(isNew).To(BeFalse())

	store = openStore(t, dir, uploads.Options{})
	g.Expect(names(t, store, team)).To(Equal([]string{"web-1.0.0+build.1.tgz"}))
	found, err := store.FindFile(team, "web-1.0.0+build.1.tgz")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(Equal(accepted))
	g.Expect(store.Archive(team, accepted.Archive.Digest)).To(Equal(archive))
	g.Expect(store.HasContent(t.Context(), hydrate.Owner{Namespace: "market", Source: "other"}, accepted.Archive.Digest)).To(BeFalse(), "another source")

	g.Expect(os.RemoveAll(filepath.Join(dir, "charts"))).To(Succeed())
	_, _, err = store.List(team)
	g.Expect(err).To(MatchError(fs.ErrNotExist), "a wiped volume")
}

func TestVersionsAreNotReplaced(t *testing.T) {
	for _, c := range []struct {
		why           string
		limits        uploads.Limits
		name, version string
		conflict      bool
		want          []string
	}{
		{"another content", uploads.Limits{}, "web", "1.0.0", true, []string{"web-1.0.0.tgz"}},
		{"another content, if that is allowed", uploads.Limits{AllowOverwrite: true}, "web", "1.0.0", false, []string{"web-1.0.0.tgz"}},
		{"another version", uploads.Limits{}, "web", "1.0.1", false, []string{"web-1.0.0.tgz", "web-1.0.1.tgz"}},
		{"another build of the version", uploads.Limits{}, "web", "1.0.0+b", false, []string{"web-1.0.0.tgz", "web-1.0.0+b.tgz"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			dir := t.TempDir()
			store := openStore(t, dir, uploads.Options{})
			first := newArchive(t, "web", "1.0.0", "first")
			_, _, err := upload(store, team, c.limits, first)
			g.Expect(err).NotTo(HaveOccurred())
			second := newArchive(t, c.name, c.version, "second")
			_, _, err = upload(store, team, c.limits, second)
			g.Expect(errors.Is(err, uploads.ErrConflict)).To(Equal(c.conflict), "%v", err)
			g.Expect(names(t, store, team)).To(Equal(c.want))
			found, err := store.Find(team, c.name, c.version)
			g.Expect(err).NotTo(HaveOccurred())
			want := chart.Digest(second)
			if c.conflict {
				want = chart.Digest(first)
			}
			g.Expect(found.Archive.Digest).To(Equal(want))
			g.Expect(readFiles(t, filepath.Join(dir, "charts/market/team/blobs"))).To(HaveLen(3*len(c.want)), "the content of a replaced version is removed")
		})
	}
}

func TestTwoChartsCannotHaveOneFileName(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t, t.TempDir(), uploads.Options{})
	_, _, err := upload(store, team, uploads.Limits{}, newArchive(t, "a", "1.0.0-2.0.0", ""))
	g.Expect(err).NotTo(HaveOccurred())
	_, _, err = upload(store, team, uploads.Limits{AllowOverwrite: true}, newArchive(t, "a-1.0.0", "2.0.0", ""))
	g.Expect(err).To(MatchError(uploads.ErrConflict))
	g.Expect(err).To(MatchError(ContainSubstring(`chart "a" version "1.0.0-2.0.0"`)))
}

func TestOneOfTwoConcurrentUploadsIsAccepted(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	// Two stores are two processes: they share nothing but the folder.
	stores := []*uploads.Store{openStore(t, dir, uploads.Options{}), openStore(t, dir, uploads.Options{})}
	results := make([]error, 8)
	var all sync.WaitGroup
	for i := range results {
		archive := newArchive(t, "web", "1.0.0", strings.Repeat("x", i))
		all.Go(func() { _, _, results[i] = upload(stores[i%2], team, uploads.Limits{}, archive) })
	}
	all.Wait()
	accepted := 0
	for _, err := range results {
		if err == nil {
			accepted++
		} else {
			g.Expect(err).To(MatchError(uploads.ErrConflict))
		}
	}
	g.Expect(accepted).To(Equal(1))
	g.Expect(names(t, stores[0], team)).To(HaveLen(1))
}

func TestInvalidArchivesAreRejected(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	store := openStore(t, dir, uploads.Options{})
	valid := newArchive(t, "web", "1.0.0", "")
	for _, c := range []struct {
		why     string
		archive []byte
		want    uploads.Expectation
		reason  string
	}{
		{"not an archive", []byte("<html>"), uploads.Expectation{}, v1alpha1.ReasonInvalidArchive},
		{"nothing", nil, uploads.Expectation{}, v1alpha1.ReasonInvalidArchive},
		{"a truncated archive", valid[:len(valid)-20], uploads.Expectation{}, v1alpha1.ReasonInvalidArchive},
		{"a bomb", newTar(t, tar.Header{Name: "web/a", Size: chart.MaxFileBytes}, tar.Header{Name: "web/b", Size: chart.MaxFileBytes}), uploads.Expectation{}, v1alpha1.ReasonLimitExceeded},
		{"a large file", newTar(t, tar.Header{Name: "web/a", Size: chart.MaxFileBytes + 1}), uploads.Expectation{}, v1alpha1.ReasonLimitExceeded},
		{"a symbolic link", newTar(t, tar.Header{Name: "web/a", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}), uploads.Expectation{}, v1alpha1.ReasonInvalidArchive},
		{"a path outside", newTar(t, tar.Header{Name: "../a"}), uploads.Expectation{}, v1alpha1.ReasonInvalidArchive},
		{"no Chart.yaml", newTar(t, tar.Header{Name: "web/a"}), uploads.Expectation{}, v1alpha1.ReasonInvalidChart},
		{"a name that is not an app", newArchive(t, "Web", "1.0.0", ""), uploads.Expectation{}, v1alpha1.ReasonInvalidChart},
		{"a name with a dot at its end", newArchive(t, "web.", "1.0.0", ""), uploads.Expectation{}, v1alpha1.ReasonInvalidChart},
		{"a long name", newArchive(t, strings.Repeat("a", 201), "1.0.0", ""), uploads.Expectation{}, v1alpha1.ReasonInvalidChart},
		{"a version that is not strict", newArchive(t, "web", "1.0", ""), uploads.Expectation{}, v1alpha1.ReasonInvalidChart},
		{"another name than the repository", valid, uploads.Expectation{App: "api"}, v1alpha1.ReasonInvalidChart},
		{"another version than the tag", valid, uploads.Expectation{Version: "2.0.0"}, v1alpha1.ReasonInvalidChart},
		{"another name than the file", valid, uploads.Expectation{File: "api-1.0.0.tgz"}, v1alpha1.ReasonInvalidChart},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			digest, err := receive(store, team, c.archive)
			g.Expect(err).NotTo(HaveOccurred())
			_, _, err = store.AcceptArchive(t.Context(), team, uploads.Limits{}, digest, c.want)
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), "%v", err)
		})
	}
	g.Expect(readFiles(t, filepath.Join(dir, "charts"))).To(BeEmpty())
	_, _, err := store.AcceptArchive(t.Context(), team, uploads.Limits{}, chart.Digest([]byte("unknown")), uploads.Expectation{})
	g.Expect(err).To(MatchError(fs.ErrNotExist))
	for _, owner := range []hydrate.Owner{{}, {Namespace: "..", Source: ".."}, {Namespace: "market", Source: "a/b"}} {
		_, err := receive(store, owner, valid)
		g.Expect(err).To(MatchError(fs.ErrNotExist), "%v", owner)
	}
}

func TestQuotas(t *testing.T) {
	g := NewWithT(t)
	one := newArchive(t, "web", "1.0.0", "")
	first, _, err := upload(openStore(t, t.TempDir(), uploads.Options{}), team, uploads.Limits{}, one)
	g.Expect(err).NotTo(HaveOccurred())
	size := first.Archive.Size + first.Config.Size + first.Manifest.Size + 10
	for why, c := range map[string]struct {
		options uploads.Options
		limits  uploads.Limits
		owner   hydrate.Owner
		want    string
	}{
		"versions of a source":  {uploads.Options{}, uploads.Limits{Charts: 1}, team, "spec.upload.maxCharts"},
		"bytes of a source":     {uploads.Options{}, uploads.Limits{Bytes: size}, team, "spec.upload.maxSize"},
		"bytes of a namespace":  {uploads.Options{NamespaceBytes: size}, uploads.Limits{}, hydrate.Owner{Namespace: "market", Source: "other"}, "--namespace-upload-bytes"},
		"of another namespace":  {uploads.Options{NamespaceBytes: size}, uploads.Limits{}, hydrate.Owner{Namespace: "else", Source: "team"}, ""},
		"of a namespace, below": {uploads.Options{NamespaceBytes: 10 * size}, uploads.Limits{}, team, ""},
	} {
		store := openStore(t, t.TempDir(), c.options)
		_, _, err := upload(store, team, uploads.Limits{Charts: c.limits.Charts, Bytes: c.limits.Bytes}, one)
		g.Expect(err).NotTo(HaveOccurred(), why)
		_, _, err = upload(store, c.owner, c.limits, newArchive(t, "api", "1.0.0", ""))
		if c.want == "" {
			g.Expect(err).NotTo(HaveOccurred(), why)
			continue
		}
		g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonAllowanceExceeded), why)
		g.Expect(err).To(MatchError(ContainSubstring(c.want)), why)
		_, _, err = upload(store, team, c.limits, one)
		g.Expect(err).NotTo(HaveOccurred(), "%s: a version that exists", why)
	}
}

func TestDamagedRecordIsReportedAndReplaced(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	store := openStore(t, dir, uploads.Options{})
	archive := newArchive(t, "web", "1.0.0", "")
	_, _, err := upload(store, team, uploads.Limits{}, archive)
	g.Expect(err).NotTo(HaveOccurred())
	record := filepath.Join(dir, "charts/market/team/records/web/1.0.0.json")
	g.Expect(os.WriteFile(record, []byte("{"), 0o600)).To(Succeed())
	charts, damaged, err := store.List(team)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(charts).To(BeEmpty())
	g.Expect(damaged).To(ConsistOf(HaveField("App", "web")))
	_, _, err = upload(store, team, uploads.Limits{}, archive)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(names(t, store, team)).To(Equal([]string{"web-1.0.0.tgz"}))

	blob := filepath.Join(dir, "charts/market/team/blobs", strings.TrimPrefix(chart.Digest(archive), "sha256:"))
	g.Expect(os.WriteFile(blob, bytes.ToUpper(archive), 0o600)).To(Succeed())
	g.Expect(store.Archive(team, chart.Digest(archive))).To(Equal(archive), "the content that was uploaded again")
	g.Expect(os.ReadFile(blob)).To(Equal(archive))
	g.Expect(os.WriteFile(blob, bytes.ToUpper(archive), 0o600)).To(Succeed())
	_, err = store.Archive(team, chart.Digest(archive))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonDigestMismatch))
	_, err = store.Archive(team, chart.Digest(archive))
	g.Expect(err).To(MatchError(fs.ErrNotExist), "it was removed, so that it can be uploaded again")
}
