package hydrate_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// packChart returns the archive of a chart.
func packChart(t *testing.T, files []chart.File) []byte {
	t.Helper()
	archive, err := chart.Pack("web", files)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return archive
}

func TestSourceChart(t *testing.T) {
	files := newWebChart(nil)
	archive := packChart(t, files)
	for _, c := range []struct {
		why     string
		payload hydrate.ChartContent
		digest  string
		want    string
	}{
		{"an archive", hydrate.ChartContent{Archive: archive}, chart.Digest(archive), chart.Digest(archive)},
		{"an archive of which nothing was promised", hydrate.ChartContent{Archive: archive}, "", chart.Digest(archive)},
		{"a folder", hydrate.ChartContent{Files: files}, chart.TreeDigest(files), chart.TreeDigest(files)},
		{"a folder of which nothing was promised", hydrate.ChartContent{Files: files}, "", chart.TreeDigest(files)},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			d := &hydrate.Draft{Request: newRequest(nil)}
			d.Request.Source, d.Request.Offer.Digest = delivery{payload: c.payload}, c.digest
			g.Expect(hydrate.SourceChart{}.Apply(t.Context(), d)).To(Succeed())
			g.Expect(d.Digest).To(Equal(c.want))
			g.Expect(d.Files).To(Equal(files))
			g.Expect(d.Chart.Name).To(Equal("web"))
		})
	}
}

func TestSourceChartRefuses(t *testing.T) {
	files := newWebChart(nil)
	archive := packChart(t, files)
	elsewhere, wrongVersion := newRequest(files), newRequest(files)
	elsewhere.App = "blog"
	wrongVersion.Offer.Version = "2.0.0"
	without := slices.DeleteFunc(slices.Clone(files), func(f chart.File) bool { return f.Name == "Chart.yaml" })
	promised := func(payload hydrate.ChartContent, digest string) hydrate.Request {
		r := newRequest(nil)
		r.Source, r.Offer.Digest = delivery{payload: payload}, digest
		return r
	}
	for _, c := range []struct {
		why     string
		request hydrate.Request
		reason  string
		says    string
	}{
		{"another archive than was promised", promised(hydrate.ChartContent{Archive: archive}, chart.Digest(nil)), v1alpha1.ReasonDigestMismatch, chart.Digest(nil)},
		{"another folder than was promised", promised(hydrate.ChartContent{Files: files}, chart.Digest(archive)), v1alpha1.ReasonDigestMismatch, chart.Digest(archive)},
		{"an error page", promised(hydrate.ChartContent{Archive: []byte("<html>Not found</html>")}, ""), v1alpha1.ReasonInvalidArchive, ""},
		{"an archive that is cut", promised(hydrate.ChartContent{Archive: archive[:len(archive)/2]}, ""), v1alpha1.ReasonInvalidArchive, ""},
		{"an archive of nothing", promised(hydrate.ChartContent{Archive: []byte{}}, ""), v1alpha1.ReasonInvalidArchive, ""},
		{"no files at all", newRequest(nil), v1alpha1.ReasonInvalidArchive, "no files"},
		{"no chart", newRequest(without), v1alpha1.ReasonInvalidChart, "Chart.yaml not found"},
		{"a file outside", newRequest(append(slices.Clone(files), chart.File{Name: "../passwd"})), v1alpha1.ReasonInvalidArchive, "../passwd"},
		{"another chart", elsewhere, v1alpha1.ReasonInvalidChart, `name: Invalid value: "web": must be the name "blog" of the source`},
		{"another version", wrongVersion, v1alpha1.ReasonInvalidChart, `version: Invalid value: "1.0.0": must be the version "2.0.0" of the source`},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			d := &hydrate.Draft{Request: c.request}
			err := hydrate.SourceChart{}.Apply(t.Context(), d)
			expectStepError(g, hydrate.StepSourceChart, err, c.reason)
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
			g.Expect(d.Files).To(BeNil(), "the draft is as it was")
		})
	}
}

func TestSourceChartPassesTheSourcesErrors(t *testing.T) {
	down := errors.New("no answer")
	for _, err := range []error{down, outcome.Stalled(v1alpha1.ReasonNotFound, down), outcome.Failed(v1alpha1.ReasonRateLimited, down)} {
		g := NewWithT(t)
		d := &hydrate.Draft{Request: newRequest(nil)}
		d.Request.Source = delivery{err: err}
		got := hydrate.SourceChart{}.Apply(t.Context(), d)
		g.Expect(got).To(MatchError(down))
		g.Expect(outcome.IsStalled(got)).To(Equal(outcome.IsStalled(err)))
		g.Expect(outcome.Reason(got, "")).To(Equal(outcome.Reason(err, "")))
	}
}
