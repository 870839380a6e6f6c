package kube

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/appmarket/operator/api/v1alpha1"
)

// AppRow is what a list shows of an app.
type AppRow struct {
	Namespace, Name, Source, App  string
	Title, Description, Developer string
	Version, AppVersion, Type     string
	Categories, Architectures     []string
	// Requires are the names of the apps that must be installed.
	Requires                          []string
	Featured                          int32
	GPU, Withdrawn, Suspended, Ready  bool
	Hidden                            bool
	Failed, Purchase, ServingPrevious bool
	PublishedAt                       time.Time
	// Listing is the listing that applies to the app.
	Listing v1alpha1.Listing
	// Placement is the verdict whether the app runs on the cluster, empty if that is unknown.
	Placement v1alpha1.PlacementVerdict
	// Translations are the title and the description in other languages.
	Translations []v1alpha1.AppTranslation
	// Icon is the URL of the icon as the chart specifies it.
	Icon string
	// text is what a search looks at, and sortKey the title, both in lower case.
	text, sortKey string
}

// Matches reports whether the row contains every word. Words are in lower case.
func (r *AppRow) Matches(words []string) bool {
	for _, word := range words {
		if !strings.Contains(r.text, word) {
			return false
		}
	}
	return true
}

// cachedApp is what the shared cache contains of an app: the metadata that the cache needs, and the row. Pages that
// show more of an app read it with the credential of the user.
type cachedApp struct {
	metav1.ObjectMeta

	row *AppRow
}

func newCachedApp(app *v1alpha1.AppInfo) *cachedApp {
	return &cachedApp{
		ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name, ResourceVersion: app.ResourceVersion}, row: NewAppRow(app),
	}
}

// appIndex contains a row for each app, by namespace, sorted by title.
type appIndex struct {
	mu     sync.Mutex
	rows   map[string]map[string]*AppRow
	sorted map[string][]*AppRow
}

func newAppIndex() *appIndex {
	return &appIndex{rows: map[string]map[string]*AppRow{}, sorted: map[string][]*AppRow{}}
}

// setRow sets the row of an app, or removes it.
func (a *appIndex) setRow(row *AppRow, gone bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sorted, row.Namespace)
	if gone {
		delete(a.rows[row.Namespace], row.Name)
		if len(a.rows[row.Namespace]) == 0 {
			delete(a.rows, row.Namespace)
		}
		return
	}
	if a.rows[row.Namespace] == nil {
		a.rows[row.Namespace] = map[string]*AppRow{}
	}
	a.rows[row.Namespace][row.Name] = row
}

// namespaces returns the namespaces that have apps, sorted.
func (a *appIndex) namespaces() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	names := make([]string, 0, len(a.rows))
	for name := range a.rows {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// rowsOf returns the rows of a namespace. The slice and its rows are shared.
func (a *appIndex) rowsOf(namespace string) []*AppRow {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.sorted[namespace]; known != nil {
		return known
	}
	rows := make([]*AppRow, 0, len(a.rows[namespace]))
	for _, row := range a.rows[namespace] {
		rows = append(rows, row)
	}
	slices.SortFunc(rows, CompareTitles)
	a.sorted[namespace] = rows
	return rows
}

// rowOf returns the row of an app, nil if there is none.
func (a *appIndex) rowOf(namespace, name string) *AppRow {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rows[namespace][name]
}

// FindApp returns the row of an app by the name of its AppInfo, nil if there is none. The row is shared:
// callers must not change it.
func (c *Cluster) FindApp(namespace, name string) *AppRow { return c.apps.rowOf(namespace, name) }

// CompareTitles orders rows by title, without regard to case, and then by name.
func CompareTitles(a, b *AppRow) int {
	return cmp.Or(strings.Compare(a.sortKey, b.sortKey),
		strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}

// NewAppRow returns the row of an app.
func NewAppRow(app *v1alpha1.AppInfo) *AppRow {
	row := &AppRow{
		Namespace: app.Namespace, Name: app.Name, Source: app.Spec.SourceRef.Name, App: app.Spec.App, Title: app.Spec.App,
		Version: app.Status.SelectedVersion, Withdrawn: app.Spec.Withdrawn, Suspended: app.Spec.Suspend != nil && *app.Spec.Suspend,
		Featured: ptr.Deref(app.Spec.Featured, 0), Hidden: ptr.Deref(app.Spec.Hidden, false), Listing: ListingOf(app),
	}
	if ready := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		row.Ready = ready.Status == "True"
		row.Failed = ready.Status == "False"
		row.ServingPrevious = row.Ready && ready.Reason == v1alpha1.ReasonServingPrevious
	}
	if len(app.Status.Versions) > 0 && app.Status.Versions[0].PublishedAt != nil {
		row.PublishedAt = app.Status.Versions[0].PublishedAt.Time
	}
	var keywords []string
	if s := app.Status.Summary; s != nil {
		keywords = s.Keywords
		row.Title = cmp.Or(s.Title, app.Spec.App)
		row.Description, row.Developer, row.AppVersion, row.Type = s.Description, s.Developer, s.AppVersion, s.Type
		row.Categories, row.Architectures, row.Icon = s.Categories, s.Architectures, s.Icon
		row.Translations = s.Translations
		for _, dependency := range s.Dependencies {
			if dependency.Type == "application" && dependency.Required {
				row.Requires = append(row.Requires, dependency.Name)
			}
		}
		row.GPU, row.Purchase = s.Resources != nil && s.Resources.GPU != "", s.Purchase != nil
	}
	if app.Status.Placement != nil {
		row.Placement = app.Status.Placement.Verdict
	}
	row.sortKey = strings.ToLower(row.Title)
	texts := slices.Concat([]string{row.Title, row.App, row.Developer, row.Description}, row.Categories, keywords)
	for _, translation := range row.Translations {
		texts = append(texts, translation.Title, translation.Description)
	}
	row.text = strings.ToLower(strings.Join(texts, "\n"))
	return row
}

// ListingOf returns the listing that applies to an app, according to its status. It is Draft for an app
// that should be listed and has not passed its checks.
func ListingOf(app *v1alpha1.AppInfo) v1alpha1.Listing {
	review := app.Status.Review
	if review == nil {
		return cmp.Or(app.Spec.Listing, v1alpha1.ListingListed)
	}
	if review.Listing == v1alpha1.ListingListed && !meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionListed) {
		return v1alpha1.ListingDraft
	}
	return review.Listing
}

// ListApps returns the rows of the apps in a scope, sorted by title within each namespace. The rows
// are shared: callers must not change them.
func (c *Cluster) ListApps(scope Scope) []*AppRow {
	if !scope.All {
		var rows []*AppRow
		for _, namespace := range scope.Namespaces {
			rows = append(rows, c.apps.rowsOf(namespace)...)
		}
		return rows
	}
	return c.ListApps(Scope{Namespaces: c.apps.namespaces()})
}
