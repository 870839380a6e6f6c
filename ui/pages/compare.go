package pages

import (
	"context"
	"slices"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/comparison"
	"github.com/appmarket/operator/ui/reports"
)

const (
	// maxAnalyses is the number of requests that parse reports at the same time, and analysisWait the time
	// that a request waits for its turn.
	maxAnalyses, analysisWait = 2, 5 * time.Second
)

// compareView compares two published versions of an app.
type compareView struct {
	URL string
	// From and To are the versions that can be selected.
	From, To []option
	// Problem is the reason why the versions are not compared, empty if they are.
	Problem string
	// Result contains the differences, nil if no versions are selected.
	Result *comparison.Comparison
	News   *versionNews
}

// versionNews is what changes between two versions.
type versionNews struct {
	From, To string
	// URL is the URL of the comparison, empty if one of the versions is not published.
	URL   string
	Notes comparison.Notes
}

// HasNotes reports whether the developer has written something about the version.
func (n *versionNews) HasNotes() bool { return n.Notes.Description != "" || n.Notes.Total > 0 }

// newVersionNews returns what changes between two versions, nil if nothing is known about it.
func newVersionNews(r *request, app *v1alpha1.AppInfo, from, to string) *versionNews {
	target := publishedVersion(app, to)
	if target == nil {
		return nil
	}
	news := &versionNews{From: from, To: to}
	if from != to && publishedVersion(app, from) != nil && r.server.Reports.HasRepository() {
		news.URL = compareURL(app, from, to)
	}
	manifest, _ := fetchReport(r, target, reports.App) // The notes are an addition: without them, the page is complete.
	chart, _ := fetchReport(r, target, reports.Chart)
	news.Notes = comparison.ParseNotes(manifest, chart)
	if news.URL == "" && !news.HasNotes() {
		return nil
	}
	return news
}

// publishedVersion returns a published version of an app, nil if there is none.
func publishedVersion(app *v1alpha1.AppInfo, version string) *v1alpha1.PublishedVersion {
	i := slices.IndexFunc(app.Status.Versions, func(v v1alpha1.PublishedVersion) bool { return v.Version == version })
	if i < 0 {
		return nil
	}
	return &app.Status.Versions[i]
}

// newCompareView returns the comparison of the versions that the query selects, nil if the app has one
// version only or the reports cannot be read. The live part of the page does not contain it.
func newCompareView(r *request, app *v1alpha1.AppInfo) *compareView {
	if len(app.Status.Versions) < 2 || !r.server.Reports.HasRepository() || isPart(r.Request) {
		return nil
	}
	from, to := r.URL.Query().Get("from"), r.URL.Query().Get("to")
	isAsked := from != "" || to != ""
	if !isAsked {
		from, to = app.Status.Versions[1].Version, app.Status.Versions[0].Version
	}
	v := &compareView{
		URL:  appTabURL(app.Namespace, app.Spec.SourceRef.Name, app.Spec.App, "versions"),
		From: publishedVersions(r.lang, app, from), To: publishedVersions(r.lang, app, to),
	}
	if !isAsked {
		return v
	}
	before, after := publishedVersion(app, from), publishedVersion(app, to)
	switch {
	case before == nil || after == nil:
		v.Problem = r.Text("compare.notPublished")
	case from == to:
		v.Problem = r.Text("compare.sameVersion")
	default:
		v.compare(r, before, after)
		v.News = newVersionNews(r, app, from, to)
	}
	return v
}

// acquireAnalysis reports whether a request may parse reports. If it may, it must call releaseAnalysis.
func (s *Server) acquireAnalysis(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, analysisWait)
	defer cancel()
	select {
	case s.analyses <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Server) releaseAnalysis() { <-s.analyses }

// compare adds the differences between two versions.
func (v *compareView) compare(r *request, from, to *v1alpha1.PublishedVersion) {
	if !r.server.acquireAnalysis(r.Context()) {
		v.Problem = r.Text("compare.busy")
		return
	}
	defer r.server.releaseAnalysis()
	problems := map[string]string{}
	fetch := func(version *v1alpha1.PublishedVersion, name string) []byte {
		text, problem := fetchReport(r, version, name)
		if problem != "" {
			problems[name] = problem
		}
		return text
	}
	reportsOf := func(version *v1alpha1.PublishedVersion) comparison.Reports {
		return comparison.Reports{
			Values: fetch(version, reports.Values), Schema: fetch(version, reports.Schema),
			Images: fetch(version, reports.Images), Objects: fetch(version, reports.Objects),
		}
	}
	before, after := reportsOf(from), reportsOf(to)
	v.Result = comparison.Compare(r.Context(), before, after)
	for name, problem := range problems { // Without one of the reports, there is nothing to compare.
		switch name {
		case reports.Values:
			v.Result.Values = comparison.Section[comparison.ValueChange]{Problem: problem}
		case reports.Schema:
			v.Result.Schema = comparison.SchemaChange{Problem: problem}
		case reports.Images:
			v.Result.Images = comparison.Section[comparison.ImageChange]{Problem: problem}
		case reports.Objects:
			v.Result.Objects = comparison.Section[comparison.ObjectChange]{Problem: problem}
		}
	}
}
