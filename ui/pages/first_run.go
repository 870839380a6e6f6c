package pages

import (
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"

	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
)

const (
	// maxNearest is the number of apps that a search without a result proposes, and maxCompared the number of apps
	// whose names are compared.
	maxNearest, maxCompared = 5, 5000
	// maxComparedBytes is the length of the longest name that is compared.
	maxComparedBytes = 40
	// minSimilarity is the similarity from which on a name is proposed.
	minSimilarity = 0.6
)

// firstStep is a step to the first app of a market.
type firstStep struct {
	Text, Hint, URL, Link string
	Done, Current         bool
}

// addEmptyMarket says why the list has no app, and what to do next. It returns the topics of the sources.
func (d *discoverView) addEmptyMarket(r *request, scope kube.Scope) ([]live.Topic, error) {
	readable, err := r.ScopeFor(r.Context(), kube.Sources)
	if err != nil {
		return nil, err
	}
	sources, err := r.server.Cluster.ListSources(r.Context(), readable)
	if err != nil {
		return nil, err
	}
	writable, err := r.ScopeWith(r.Context(), "create", kube.Sources)
	if err != nil {
		return nil, err
	}
	hasSource := false
	for i := range sources { // The scope has only namespaces with apps.
		if hasSource, err = r.Allows(r.Context(), "list", kube.Apps, sources[i].Namespace, ""); err != nil || hasSource {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if scope.IsEmpty() && writable.IsEmpty() && !hasSource {
		d.Nothing = emptyText{
			Title: r.Text("discover.cannotList"), Text: r.Text("discover.cannotListText"),
			Command: bindingCommand(r.session.User, "list", kube.Apps, "market", " -n market"),
		}
		return nil, nil
	}
	d.FirstRun = []firstStep{
		{Text: r.Text("firstRun.source"), Hint: r.Text("firstRun.sourceHint"), Done: hasSource, Current: !hasSource},
		{Text: r.Text("firstRun.hydration"), Hint: r.Text("firstRun.hydrationHint"), Current: hasSource},
		{Text: r.Text("firstRun.install"), Hint: r.Text("firstRun.installHint")},
	}
	switch {
	case hasSource:
		d.FirstRun[1].URL, d.FirstRun[1].Link = "/sources", r.Text("layout.sources")
	case writable.IsEmpty():
		d.FirstRun[0].Hint = r.Text("firstRun.askForSource")
		d.Grant = bindingCommand(r.session.User, "create", kube.Sources, "market", " -n market")
	default:
		d.FirstRun[0].URL, d.FirstRun[0].Link = "/sources/new", r.Text("sources.add")
	}
	return topicsFor(kube.Sources, readable), nil
}

// nearestApps returns the apps whose names are the most similar to a search.
func nearestApps(all []*kube.AppRow, query string) []*kube.AppRow {
	query = strings.ToLower(strings.TrimSpace(query))
	if query == "" || len(query) > maxComparedBytes {
		return nil
	}
	type match struct {
		row   *kube.AppRow
		ratio float64
	}
	matcher := difflib.NewMatcher(nil, strings.Split(query, ""))
	var found []match
	for _, row := range all[:min(len(all), maxCompared)] {
		best := 0.0
		for _, name := range []string{row.Title, row.App} {
			if len(name) > maxComparedBytes {
				continue
			}
			matcher.SetSeq1(strings.Split(strings.ToLower(name), ""))
			if matcher.RealQuickRatio() >= minSimilarity && matcher.QuickRatio() >= minSimilarity {
				best = max(best, matcher.Ratio())
			}
		}
		if best >= minSimilarity {
			found = append(found, match{row, best})
		}
	}
	slices.SortStableFunc(found, func(a, b match) int {
		switch {
		case a.ratio > b.ratio:
			return -1
		case a.ratio < b.ratio:
			return 1
		}
		return kube.CompareTitles(a.row, b.row)
	})
	var nearest []*kube.AppRow
	for _, each := range found[:min(len(found), maxNearest)] {
		nearest = append(nearest, each.row)
	}
	return nearest
}
