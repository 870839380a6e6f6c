package pages

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/ui/reports"
)

const (
	// maxChartSources and maxMaintainers are the numbers of sources and maintainers that the page of an app lists.
	maxChartSources, maxMaintainers = 10, 20
	// maxChartURL is the number of bytes of the longest URL that is a link, and maxChartText the number of
	// characters of a text.
	maxChartURL, maxChartText = 2048, 200
)

// chartFacts are the facts about an app that its chart states.
type chartFacts struct {
	// Home is nil if the chart has no home page.
	Home                 *chartLink
	Sources, Maintainers []chartLink
	// MoreSources and MoreMaintainers are the numbers of entries that are not listed.
	MoreSources, MoreMaintainers int
	// KubeVersion is the range of Kubernetes versions.
	KubeVersion string
}

// chartLink is a text with a URL, which is empty if the text is no link.
type chartLink struct{ Text, URL string }

// chartReport is the part of the report chart.json that is shown.
type chartReport struct {
	Home        string       `json:"home"`
	Sources     []string     `json:"sources"`
	Maintainers []maintainer `json:"maintainers"`
	KubeVersion string       `json:"kubeVersion"`
}

type maintainer struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// addChart adds the facts of the chart of the shown version. The page is complete without them.
func (v *appView) addChart(r *request) {
	if v.Shown == nil {
		return
	}
	report, _ := fetchReport(r, v.Shown, reports.Chart) // The README has the same problem, and the page shows it.
	if report != nil {
		v.Chart = newChartFacts(report)
	}
}

// newChartFacts returns the facts in a report, nil if the report cannot be read or has none.
func newChartFacts(report []byte) *chartFacts {
	var found chartReport
	if json.Unmarshal(report, &found) != nil {
		return nil
	}
	facts := &chartFacts{KubeVersion: text.OneLine(found.KubeVersion, maxChartText)}
	if home := newChartLink(found.Home); home.Text != "" {
		facts.Home = &home
	}
	for _, source := range found.Sources {
		facts.Sources = append(facts.Sources, newChartLink(source))
	}
	for _, each := range found.Maintainers {
		facts.Maintainers = append(facts.Maintainers, chartLink{text.OneLine(each.Name, maxChartText), linkURL(each.URL)})
	}
	facts.Sources, facts.MoreSources = listLinks(facts.Sources, maxChartSources)
	facts.Maintainers, facts.MoreMaintainers = listLinks(facts.Maintainers, maxMaintainers)
	if facts.Home == nil && len(facts.Sources)+len(facts.Maintainers) == 0 && facts.KubeVersion == "" {
		return nil
	}
	return facts
}

// listLinks returns the first links that have a text, and the number of the others that have one.
func listLinks(all []chartLink, limit int) (listed []chartLink, more int) {
	for _, link := range all {
		switch {
		case link.Text == "":
		case len(listed) == limit:
			more++
		default:
			listed = append(listed, link)
		}
	}
	return listed, more
}

// newChartLink returns a link whose text is an address without its scheme.
func newChartLink(address string) chartLink {
	link := chartLink{Text: text.OneLine(address, maxChartText), URL: linkURL(address)}
	if parsed, err := url.Parse(link.URL); err == nil && link.URL != "" {
		link.Text = text.OneLine(strings.TrimSuffix(strings.TrimPrefix(address, parsed.Scheme+"://"), "/"), maxChartText)
	}
	return link
}

// linkURL returns an address that can be a link, empty for any other text.
func linkURL(address string) string {
	if len(address) > maxChartURL {
		return ""
	}
	return openableURL(address)
}
