package pages

import (
	"cmp"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
	"github.com/appmarket/operator/ui/locale"
	"github.com/appmarket/operator/ui/reports"
)

// appView is the page of an app.
type appView struct {
	App     *v1alpha1.AppInfo
	Title   string
	Summary *v1alpha1.AppSummary
	// IconURL is the URL of the icon, empty if there is none.
	IconURL string
	Badges  []badge
	Tab     string
	Tabs    []tab
	// Shown is the version whose reports are shown, nil if none is published.
	Shown      *v1alpha1.PublishedVersion
	Milestones []milestone
	Instances  []instanceRow
	// InstalledHere are the instances in the selected namespace.
	InstalledHere []instanceRow
	// Readme is the sanitized README. Note says why something is not shown.
	Readme template.HTML
	Note   string
	// HasReports reports that the pages have the URL of the repository, from which they fetch reports.
	HasReports  bool
	Text        string
	Dependency  []dependencyRow
	Images      imageTable
	Required    int
	NotServed   []v1alpha1.Offer
	Compare     *compareView
	ClusterKind []v1alpha1.KindCount
	// Chart contains the facts of the chart, nil if there are none.
	Chart *chartFacts
	// Manifest is nil for other tabs.
	Manifest *appManifest
	// Access is nil if it is unknown.
	Access *accessView
	// Review is nil if the app is not reviewed.
	Review *reviewView
	// Changes are the buttons of a user who can patch the app.
	Changes []actionButton
	// NotInstallable is the reason why the app cannot be installed, empty if it can.
	NotInstallable string

	lang *locale.Language
}

type tab struct {
	Name, URL string
	Count     int
	Current   bool
}

type dependencyRow struct {
	v1alpha1.AppDependency

	URL string
}

type imageTable struct {
	Rows  []v1alpha1.AppImage
	Total int64
	// Cut is the number of images that the app has in all, if not all are listed.
	Cut int
}

// Names returns the names of the listed images, one per line.
func (t imageTable) Names() string {
	var names strings.Builder
	for i := range t.Rows {
		names.WriteString(t.Rows[i].Name + "\n")
	}
	return names.String()
}

// getApp reads the app of an address with the rights of the user.
func getApp(r *request) (*v1alpha1.AppInfo, error) {
	namespace := r.PathValue("namespace")
	ref := v1alpha1.AppReference{Source: r.PathValue("source"), Name: r.PathValue("app")}
	return getAppInfo(r, namespace, ref.AppInfoName())
}

// getAppInfo reads an AppInfo with the rights of the user.
func getAppInfo(r *request, namespace, name string) (*v1alpha1.AppInfo, error) {
	app := &v1alpha1.AppInfo{}
	err := r.Get(r.Context(), types.NamespacedName{Namespace: namespace, Name: name}, app)
	return app, asProblem(r, err, "get", kube.Apps, namespace)
}

func showApp(r *request) (*view, error) {
	app, err := getApp(r)
	if err != nil {
		return nil, err
	}
	v, err := newAppView(r, app, "About")
	if err != nil {
		return nil, err
	}
	if text, ok := v.fetch(r, reports.Readme); ok {
		v.Readme = renderMarkdown(r.lang, text, v.readmeImageURLs(r))
	}
	v.addChart(r)
	v.addManifest(r)
	return v.view(), nil
}

// appTabs shows the tabs of an app other than the first, by the last part of their address.
var appTabs = map[string]struct {
	name string
	show func(*request, *appView)
}{
	"versions":    {"Versions", showVersions},
	"images":      {"Images", showImages},
	"permissions": {"Permissions", showPermissions},
	"values":      {"Values", showValues},
	"review":      {"Review", showReview},
}

func showAppTab(r *request) (*view, error) {
	chosen, ok := appTabs[r.PathValue("tab")]
	if !ok {
		return nil, notFound(r, "problem.noPage", "/apps", "problem.showApps")
	}
	app, err := getApp(r)
	if err != nil {
		return nil, err
	}
	v, err := newAppView(r, app, chosen.name)
	if err != nil {
		return nil, err
	}
	chosen.show(r, v)
	return v.view(), nil
}

func newAppView(r *request, app *v1alpha1.AppInfo, current string) (*appView, error) {
	v := &appView{lang: r.lang, App: app, Title: app.Spec.App, Summary: app.Status.Summary, Tab: current, HasReports: r.server.Reports.HasRepository()}
	if v.Summary == nil {
		v.Summary = &v1alpha1.AppSummary{}
	}
	v.translateApp(r.lang)
	v.Title, v.IconURL = cmp.Or(v.Summary.Title, app.Spec.App), r.server.iconURL(app.Namespace, app.Name, v.Summary.Icon)
	wanted := cmp.Or(r.URL.Query().Get("version"), app.Status.SelectedVersion)
	for i := range app.Status.Versions {
		if app.Status.Versions[i].Version == wanted {
			v.Shown = &app.Status.Versions[i]
		}
	}
	if v.Shown == nil && r.URL.Query().Get("version") != "" {
		return nil, notFound(r, "problem.noVersion", appURL(app.Namespace, app.Spec.SourceRef.Name, app.Spec.App), "problem.showApp")
	}
	if state := readyBadge(r.lang, app.Status.Conditions, isSuspended(app)); state.Class != "ok" {
		v.Badges = append(v.Badges, state)
	}
	if listing := kube.ListingOf(app); listing != v1alpha1.ListingListed {
		v.Badges = append(v.Badges, badge{"off", "archive", r.lang.Word("review", string(listing))})
	}
	if app.Spec.Withdrawn {
		v.Badges = append(v.Badges, badge{"off", "archive", r.Text("state.withdrawn")})
	}
	v.Milestones = milestonesOf(r.lang, app.Status.Conditions, app.CreationTimestamp.Time, false,
		v1alpha1.ConditionFetched, v1alpha1.ConditionRendered, v1alpha1.ConditionCustomized, v1alpha1.ConditionAnalyzed, v1alpha1.ConditionPublished)
	for i := range v.Summary.Inputs {
		if v.Summary.Inputs[i].Required {
			v.Required++
		}
	}
	var err error
	if v.NotInstallable, err = installProblemFor(r, app); err != nil {
		return nil, err
	}
	v.addTabs()
	if err := v.addChanges(r); err != nil {
		return nil, err
	}
	v.addDependencies(r)
	return v, v.addInstances(r)
}

func (v *appView) addTabs() {
	namespace, source, app := v.App.Namespace, v.App.Spec.SourceRef.Name, v.App.Spec.App
	type entry struct {
		name  string
		count int
	}
	entries := []entry{{"About", 0}, {"Versions", len(v.App.Status.Versions)}, {"Images", int(v.Summary.ImageCount)}, {"Permissions", 0}, {"Values", 0}}
	if review := v.App.Status.Review; review != nil {
		entries = append(entries, entry{"Review", len(review.Findings)})
	}
	for _, each := range entries {
		t := tab{Name: each.name, Count: each.count, URL: appURL(namespace, source, app), Current: each.name == v.Tab}
		if each.name != "About" {
			t.URL = appTabURL(namespace, source, app, strings.ToLower(each.name))
		}
		v.Tabs = append(v.Tabs, t)
	}
}

// addDependencies adds the apps that the app requires. Each is a link if it is an app of the same
// namespace that the user may see.
func (v *appView) addDependencies(r *request) {
	if len(v.Summary.Dependencies) == 0 {
		return
	}
	urls := map[string]string{}
	if allowed, err := r.Allows(r.Context(), "list", kube.Apps, v.App.Namespace, ""); err == nil && allowed {
		for _, each := range r.server.Cluster.ListApps(kube.Scope{Namespaces: []string{v.App.Namespace}}) {
			if urls[each.App] == "" {
				urls[each.App] = appURL(each.Namespace, each.Source, each.App)
			}
		}
	}
	for _, dependency := range v.Summary.Dependencies {
		v.Dependency = append(v.Dependency, dependencyRow{AppDependency: dependency, URL: urls[dependency.Name]})
	}
}

// addInstances adds the instances of the app that the user may see, without the records of uninstalled ones.
func (v *appView) addInstances(r *request) error {
	scope, err := r.ScopeFor(r.Context(), kube.Instances)
	if err != nil {
		return err
	}
	all, err := r.server.Cluster.ListInstances(r.Context(), scope)
	if err != nil {
		return err
	}
	for i := range all {
		if isUninstalled(&all[i]) {
			continue
		}
		ref := all[i].Spec.AppRef
		if ref.Source == v.App.Spec.SourceRef.Name && ref.Name == v.App.Spec.App && cmp.Or(ref.Namespace, all[i].Namespace) == v.App.Namespace {
			v.Instances = append(v.Instances, newInstanceRow(r.lang, &all[i]))
		}
	}
	slices.SortFunc(v.Instances, compareInstances)
	namespace := namespaceOf(r)
	for _, row := range v.Instances {
		if row.Instance.Namespace == namespace {
			v.InstalledHere = append(v.InstalledHere, row)
		}
	}
	return nil
}

func (v *appView) view() *view {
	return &view{
		name: "app", titles: []string{v.Title, v.lang.Text("app.title")}, section: "apps", data: v,
		topics: []live.Topic{{Resource: kube.Apps, Namespace: v.App.Namespace, Name: v.App.Name}},
	}
}

// fetch returns a report of the shown version, or notes why it is not shown.
func (v *appView) fetch(r *request, name string) ([]byte, bool) {
	if v.Shown == nil {
		return nil, false
	}
	text, problem := fetchReport(r, v.Shown, name)
	if problem != "" {
		v.Note = problem
	}
	return text, text != nil
}

// fetchReport returns a report of a version, nil if the version does not have it, or the problem with it.
func fetchReport(r *request, version *v1alpha1.PublishedVersion, name string) (text []byte, problem string) {
	text, err := r.server.Reports.Fetch(r.Context(), version.ReportURL, name, r.Token())
	switch {
	case err == nil:
		return text, ""
	case errors.Is(err, reports.ErrNotFound):
		return nil, ""
	case errors.Is(err, reports.ErrNoRepository):
		return nil, r.Text("app.noRepository")
	case errors.Is(err, reports.ErrForbidden), errors.Is(err, reports.ErrTooLarge), errors.Is(err, reports.ErrOrigin):
		return nil, r.Text("app.reportProblem", "Report", name, "Cause", err.Error())
	}
	r.server.Log.Error(err, "Cannot fetch a report", "report", name)
	return nil, r.Text("app.repositoryProblem", "Report", name)
}

// serveReport serves a report as a download.
func (s *Server) serveReport(w http.ResponseWriter, r *request) {
	name := r.PathValue("report")
	app, err := getApp(r)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	v, err := newAppView(r, app, "")
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	if v.Shown == nil || !slices.Contains(reports.Names, name) {
		s.writeError(w, r, reports.ErrNotFound)
		return
	}
	text, err := s.Reports.Fetch(r.Context(), v.Shown.ReportURL, name, r.Token())
	if err != nil {
		status := http.StatusBadGateway
		if errors.Is(err, reports.ErrNotFound) {
			status = http.StatusNotFound
		}
		s.writeProblem(w, r, &problem{Status: status, Title: r.Text("problem.reportMissing"), Text: r.Text("problem.reportMissingText", "Cause", err.Error()),
			BackURL: appURL(app.Namespace, app.Spec.SourceRef.Name, app.Spec.App), Back: r.Text("problem.showApp")})
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Content-Security-Policy", policy+"; sandbox")
	_, _ = w.Write(text) // The client is gone if it fails.
}
