package pages

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

// facet is a group of filters of which each shows how many apps it leaves.
type facet struct {
	Name, Title string
	Values      []facetValue
}

type facetValue struct {
	Value, Text string
	Count       int
	Chosen      bool
}

// facetRule is how a facet reads an app.
type facetRule struct {
	name, title string
	valuesOf    func(*kube.AppRow, installedMap) []string
	chosen      func(filters) []string
}

// facetRules are the facets in their order on the page.
var facetRules = []facetRule{
	{"category", "facet.category", func(row *kube.AppRow, _ installedMap) []string { return row.Categories }, func(f filters) []string { return f.Category }},
	{"state", "facet.state", statesOf, func(f filters) []string { return f.State }},
	{"type", "facet.type", typesOf, func(f filters) []string { return f.Type }},
	{"source", "facet.source", func(row *kube.AppRow, _ installedMap) []string { return []string{row.Source} }, func(f filters) []string { return f.Source }},
	{"placement", "facet.placement", placementsOf, func(f filters) []string { return f.Placement }},
	{"arch", "facet.architecture", func(row *kube.AppRow, _ installedMap) []string { return row.Architectures }, func(f filters) []string { return f.Arch }},
}

func statesOf(row *kube.AppRow, installed installedMap) []string {
	var states []string
	if own, ok := installed[appKey(row.Namespace, row.Source, row.App)]; ok {
		states = append(states, "Installed")
		if own.update != "" {
			states = append(states, "Update available")
		}
	}
	if row.Failed {
		states = append(states, "Failed")
	}
	if row.Listing == v1alpha1.ListingDraft {
		states = append(states, "Draft")
	}
	return states
}

// typesOf returns the type of an app, such as middleware. Charts call an app "application", and app manifests call it "app".
func typesOf(row *kube.AppRow, _ installedMap) []string {
	switch row.Type {
	case "":
		return nil
	case "application":
		return []string{"app"}
	}
	return []string{row.Type}
}

// withoutFailed returns facets without the state of apps that failed, unless it is chosen.
func withoutFailed(facets []facet) []facet {
	var kept []facet
	for _, each := range facets {
		if each.Name == "state" {
			each.Values = slices.DeleteFunc(each.Values, func(v facetValue) bool { return v.Value == "Failed" && !v.Chosen })
		}
		if len(each.Values) > 0 {
			kept = append(kept, each)
		}
	}
	return kept
}

// textOf returns a value as the page shows it. All but the states, types and placements are texts of the catalog.
func (rule facetRule) textOf(l *locale.Language, value string) string {
	if rule.name == "type" {
		return l.Word("facetType", value)
	}
	if rule.name != "state" && rule.name != "placement" {
		return value
	}
	return l.Word("facet", value)
}

// accepts reports whether an app has one of the chosen values of a facet.
func (rule facetRule) accepts(f filters, row *kube.AppRow, installed installedMap) bool {
	chosen := rule.chosen(f)
	return len(chosen) == 0 || slices.ContainsFunc(rule.valuesOf(row, installed), func(value string) bool { return containsFold(chosen, value) })
}

// selectRows returns the apps that pass all filters, in a new slice.
func (f filters) selectRows(all []*kube.AppRow, installed installedMap) []*kube.AppRow {
	words := strings.Fields(strings.ToLower(f.Query))
	var found []*kube.AppRow
	for _, row := range all {
		if row.Matches(words) && !slices.ContainsFunc(facetRules, func(rule facetRule) bool { return !rule.accepts(f, row, installed) }) {
			found = append(found, row)
		}
	}
	return found
}

// facetsOf returns the facets. The numbers of a facet respect the other filters only: they are the
// numbers of apps if the value is also selected.
func (f filters) facetsOf(l *locale.Language, all []*kube.AppRow, installed installedMap) []facet {
	words := strings.Fields(strings.ToLower(f.Query))
	counts := make([]map[string]*facetValue, len(facetRules))
	for i := range counts {
		counts[i] = map[string]*facetValue{}
	}
	for _, row := range all {
		if !row.Matches(words) {
			continue
		}
		failed := -1
		for i, rule := range facetRules {
			if rule.accepts(f, row, installed) {
				continue
			}
			if failed >= 0 {
				failed = len(facetRules)
				break
			}
			failed = i
		}
		for i, rule := range facetRules {
			if failed == -1 || failed == i {
				countValues(counts[i], rule.valuesOf(row, installed))
			}
		}
	}
	var facets []facet
	for i, rule := range facetRules {
		if values := topValues(counts[i], rule.chosen(f)); len(values) > 0 {
			for i := range values {
				values[i].Text = rule.textOf(l, values[i].Value)
			}
			facets = append(facets, facet{Name: rule.name, Title: l.Text(rule.title), Values: values})
		}
	}
	return facets
}

func countValues(counts map[string]*facetValue, values []string) {
	for _, value := range values {
		key := strings.ToLower(value)
		if counts[key] == nil {
			counts[key] = &facetValue{Value: value, Text: value}
		}
		counts[key].Count++
	}
}

// topValues returns the chosen values and the commonest others.
func topValues(counts map[string]*facetValue, chosen []string) []facetValue {
	for _, value := range chosen {
		if key := strings.ToLower(value); key != "" && len(value) < 100 {
			if counts[key] == nil {
				counts[key] = &facetValue{Value: value, Text: value}
			}
			counts[key].Chosen = true
		}
	}
	values := make([]facetValue, 0, len(counts))
	for _, value := range counts {
		values = append(values, *value)
	}
	slices.SortFunc(values, func(a, b facetValue) int {
		if a.Chosen != b.Chosen {
			return map[bool]int{true: -1, false: 1}[a.Chosen]
		}
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Text, b.Text))
	})
	return values[:min(len(values), maxFacetValues)]
}

// values returns the filters as they are in an address.
func (f filters) values() url.Values {
	return url.Values{"q": {f.Query}, "category": f.Category, "source": f.Source, "arch": f.Arch, "state": f.State, "type": f.Type,
		"placement": f.Placement, "sort": {f.Sort}}
}

func (f filters) withPage(number int) string {
	values := f.values()
	if number > 1 {
		values.Set("page", strconv.Itoa(number))
	}
	return "/apps" + queryOf(values)
}

// chips returns the filters in effect, each with the address of the list without it.
func (f filters) chips(l *locale.Language) []chip {
	var chips []chip
	if f.Query != "" {
		values := f.values()
		values.Del("q")
		chips = append(chips, chip{"“" + f.Query + "”", "/apps" + queryOf(values)})
	}
	for _, rule := range facetRules {
		for i, value := range rule.chosen(f) {
			if value == "" {
				continue
			}
			values := f.values()
			values[rule.name] = slices.Delete(slices.Clone(rule.chosen(f)), i, i+1)
			chips = append(chips, chip{rule.textOf(l, value), "/apps" + queryOf(values)})
		}
	}
	return chips
}
