package pages

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
	"github.com/appmarket/operator/ui/locale"
)

const (
	// pageSize is the number of apps of a page.
	pageSize = 48
	// maxFacetValues is the number of values that a facet shows.
	maxFacetValues = 12
	// maxSearchBytes bounds the text of a search.
	maxSearchBytes = 200
)

// discoverView is the list of apps.
type discoverView struct {
	Cards   []appCard
	Total   int
	Sources int
	Facets  []facet
	Filters filters
	// SortURLs are the addresses of the list by name and of the newest first.
	SortURLs []string
	// Chosen are the filters in effect, each with the address without it.
	Chosen []chip
	pageLinks
	// Nothing says why there is no app at all, empty if there is one.
	Nothing emptyText
	Filled  bool
	// FirstRun are the steps to the first app, nil unless the market is empty. Grant is the command that permits the
	// user to add a source, empty if the user can.
	FirstRun []firstStep
	Grant    string
	// Nearest are the apps whose names are similar to a search that finds nothing.
	Nearest []*kube.AppRow
}

// emptyText says what would be on an empty page, and what to do next.
type emptyText struct{ Title, Text, Command, URL, Link string }

type appCard struct {
	*kube.AppRow
	Category string
	// IconURL is the URL of the icon, empty if there is none.
	IconURL string
	Badges  []badge
}

type chip struct{ Text, URL string }

// showDiscover lists the apps that the user may see, with filters.
func showDiscover(r *request) (*view, error) {
	scope, err := r.ScopeFor(r.Context(), kube.Apps)
	if err != nil {
		return nil, err
	}
	f := filtersOf(r.URL.Query())
	isHiddenDraft := hiddenDrafts(r)
	all := slices.DeleteFunc(r.server.Cluster.ListApps(scope), func(row *kube.AppRow) bool { return row.Hidden || isHiddenDraft(row) })
	installed, topics, err := installedApps(r)
	if err != nil {
		return nil, err
	}
	d := newDiscoverView(r.lang, f, all, installed)
	r.server.addIcons(d)
	d.translateCards(r.lang)
	topics = append(topicsFor(kube.Apps, scope), topics...)
	if len(all) == 0 {
		sources, err := d.addEmptyMarket(r, scope)
		if err != nil {
			return nil, err
		}
		topics = append(topics, sources...)
	}
	if err := d.hideFailedFacet(r); err != nil {
		return nil, err
	}
	if d.Total == 0 && f.Query != "" {
		d.Nearest = nearestApps(all, f.Query)
	}
	return &view{name: "discover", titles: []string{r.Text("discover.title")}, section: "apps", query: f.Query, data: d, topics: topics}, nil
}

// hideFailedFacet removes the filter of apps that failed for a user who cannot change apps.
func (d *discoverView) hideFailedFacet(r *request) error {
	scope, err := r.ScopeWith(r.Context(), "patch", kube.Apps)
	if err == nil && scope.IsEmpty() {
		d.Facets = withoutFailed(d.Facets)
	}
	return err
}

// newDiscoverView returns the list of the apps that pass the filters.
func newDiscoverView(l *locale.Language, f filters, all []*kube.AppRow, installed installedMap) *discoverView {
	found := f.selectRows(all, installed)
	d := &discoverView{Total: len(found), Filters: f, Facets: f.facetsOf(l, all, installed), Chosen: f.chips(l), Filled: len(all) > 0}
	sources := map[string]bool{}
	for _, row := range found {
		sources[row.Namespace+"/"+row.Source] = true
	}
	d.Sources = len(sources)
	f.sortRows(found)
	for _, order := range []string{"", "newest"} {
		sorted := f
		sorted.Sort = order
		d.SortURLs = append(d.SortURLs, sorted.withPage(1))
	}
	d.addPage(l, f, found, installed)
	return d
}

// addPage adds the cards of one page and the links to the others.
func (d *discoverView) addPage(l *locale.Language, f filters, found []*kube.AppRow, installed installedMap) {
	links, first, end := newPageLinks(len(found), pageSize, f.Page, f.withPage)
	for _, row := range found[first:end] {
		d.Cards = append(d.Cards, newAppCard(l, row, installed))
	}
	d.pageLinks = links
}

func newAppCard(l *locale.Language, row *kube.AppRow, installed installedMap) appCard {
	card := appCard{AppRow: row}
	if len(row.Categories) > 0 {
		card.Category = row.Categories[0]
	}
	if own, ok := installed[appKey(row.Namespace, row.Source, row.App)]; ok {
		if own.update != "" {
			card.Badges = append(card.Badges, badge{"busy", "arrow-up", l.Text("state.updateAvailable", "Version", own.update)})
		} else {
			card.Badges = append(card.Badges, badge{"ok", "check", l.Text("state.installed")})
		}
	}
	switch {
	case row.Failed && row.Version == "":
		card.Badges = append(card.Badges, badge{"bad", "circle-x", l.Text("state.notPublished")})
	case row.Version == "":
		card.Badges = append(card.Badges, badge{"busy", "loader", l.Text("state.inProgress")})
	case row.Listing != "" && row.Listing != v1alpha1.ListingListed:
		card.Badges = append(card.Badges, badge{"off", "archive", l.Word("review", string(row.Listing))})
	case row.Withdrawn:
		card.Badges = append(card.Badges, badge{"off", "archive", l.Text("state.withdrawn")})
	}
	if row.GPU {
		card.Badges = append(card.Badges, badge{"warn", "triangle-alert", l.Text("state.needsGPU")})
	}
	if row.Purchase {
		card.Badges = append(card.Badges, badge{"off", "shopping-cart", l.Text("state.purchase")})
	}
	return card
}

// installedApp says that instances of an app are installed where the user looks. update is the newest version to
// which one of them can be upgraded.
type installedApp struct{ update string }

type installedMap map[string]installedApp

func appKey(namespace, source, app string) string { return namespace + "/" + source + "/" + app }

// installedApps returns the apps that are installed where the user looks, and the topics of
// their lists. A user who may not list instances sees apps without this mark.
func installedApps(r *request) (installedMap, []live.Topic, error) {
	scope, err := r.ScopeFor(r.Context(), kube.Instances)
	if err != nil {
		return nil, nil, err
	}
	if chosen := namespaceOf(r); chosen != "" {
		if !scope.Contains(chosen) {
			return nil, nil, nil
		}
		scope = kube.Scope{Namespaces: []string{chosen}}
	}
	instances, err := r.server.Cluster.ListInstances(r.Context(), scope)
	if err != nil {
		return nil, nil, err
	}
	installed := installedMap{}
	for i := range instances {
		instance := &instances[i]
		ref := instance.Spec.AppRef
		if instance.Status.Version == "" || isUninstalled(instance) {
			continue
		}
		key := appKey(cmp.Or(ref.Namespace, instance.Namespace), ref.Source, ref.Name)
		if known, ok := installed[key]; !ok || compareVersions(instance.Status.AvailableUpdate, known.update) > 0 {
			installed[key] = installedApp{update: instance.Status.AvailableUpdate}
		}
	}
	return installed, topicsFor(kube.Instances, scope), nil
}

// compareVersions compares two versions, as texts if one of them is not a semantic version.
func compareVersions(one, other string) int {
	a, err := semver.NewVersion(one)
	b, otherErr := semver.NewVersion(other)
	if errors.Join(err, otherErr) != nil {
		return strings.Compare(one, other)
	}
	return a.Compare(b)
}

// filters are the filters of the list of apps, as they are in the address.
type filters struct {
	Query    string
	Category []string
	Source   []string
	Arch     []string
	State    []string
	Type     []string
	// Placement are verdicts whether an app runs on the cluster.
	Placement []string
	Sort      string
	Page      int
}

func filtersOf(query url.Values) filters {
	f := filters{
		Query: query.Get("q"), Category: query["category"], Source: query["source"], Arch: query["arch"], State: query["state"],
		Type: query["type"], Placement: query["placement"], Sort: query.Get("sort"),
	}
	if len(f.Query) > maxSearchBytes {
		f.Query = strings.ToValidUTF8(f.Query[:maxSearchBytes], "")
	}
	f.Page, _ = strconv.Atoi(query.Get("page")) // 0 is the first page too.
	return f
}

func (f filters) sortRows(rows []*kube.AppRow) {
	if f.Sort == "newest" {
		slices.SortStableFunc(rows, func(a, b *kube.AppRow) int { return b.PublishedAt.Compare(a.PublishedAt) })
		return
	}
	slices.SortFunc(rows, func(a, b *kube.AppRow) int {
		return cmp.Or(cmp.Compare(b.Featured, a.Featured), kube.CompareTitles(a, b))
	})
}
