package pages

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/sourcebuilder"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
	"github.com/appmarket/operator/ui/locale"
)

// sourceRow is a source in a list.
type sourceRow struct {
	Source *v1alpha1.MarketSource
	State  badge
	Shared string
	Apps   v1alpha1.AppCounts
	// Reason and Message belong to the condition Ready. They are empty if the source is ready.
	Reason, Message string
}

type sourcesView struct {
	Rows    []sourceRow
	Nothing emptyText
}

func newSourceRow(l *locale.Language, source *v1alpha1.MarketSource) sourceRow {
	row := sourceRow{
		Source: source, State: readyBadge(l, source.Status.Conditions, source.Spec.Suspend != nil && *source.Spec.Suspend), Shared: sharingOf(l, source),
	}
	if source.Status.Apps != nil {
		row.Apps = *source.Status.Apps
	}
	if c := meta.FindStatusCondition(source.Status.Conditions, v1alpha1.ConditionReady); c != nil && row.State.Class != "ok" {
		row.Reason, row.Message = c.Reason, c.Message
	}
	return row
}

// sharingOf returns the namespaces that can use a source, in words.
func sharingOf(l *locale.Language, source *v1alpha1.MarketSource) string {
	switch {
	case source.Spec.AllowedNamespaces == nil, meta.IsStatusConditionTrue(source.Status.Conditions, v1alpha1.ConditionAllowedNamespacesIgnored):
		return l.Text("sources.ownNamespace")
	case source.Spec.AllowedNamespaces.From == v1alpha1.NamespacesFromAll:
		return l.Text("sources.allNamespaces")
	case source.Spec.AllowedNamespaces.From == v1alpha1.NamespacesFromSelector:
		return l.Text("sources.selectedNamespaces")
	}
	return l.Text("sources.ownNamespace")
}

func showSources(r *request) (*view, error) {
	scope, err := r.ScopeFor(r.Context(), kube.Sources)
	if err != nil {
		return nil, err
	}
	all, err := r.server.Cluster.ListSources(r.Context(), scope)
	if err != nil {
		return nil, err
	}
	var v sourcesView
	for i := range all {
		v.Rows = append(v.Rows, newSourceRow(r.lang, &all[i]))
	}
	slices.SortFunc(v.Rows, func(a, b sourceRow) int {
		return cmp.Or(strings.Compare(a.Source.Namespace, b.Source.Namespace), strings.Compare(a.Source.Name, b.Source.Name))
	})
	switch {
	case len(v.Rows) > 0:
	case !scope.All:
		v.Nothing = emptyText{
			Title: r.Text("sources.noneOfYours"), Text: r.Text("sources.noneOfYoursText"),
			Command: bindingCommand(r.session.User, "list", kube.Sources, "market", " -n market"),
		}
	default:
		v.Nothing = emptyText{
			Title: r.Text("sources.none"), Text: r.Text("sources.noneText"),
			Command: "kubectl apply -f config/samples/marketsource.yaml", URL: "/sources/new", Link: r.Text("sources.add"),
		}
	}
	return &view{name: "sources", titles: []string{r.Text("sources.title")}, section: "sources", data: v, topics: topicsFor(kube.Sources, scope)}, nil
}

// sourceView is the page of a source.
type sourceView struct {
	sourceRow

	Milestones []milestone
	Address    string
	FailedURL  string
	// MoreFailed reports that more apps failed than the status lists.
	MoreFailed bool
	AppsURL    string
	// AddCommand is the command that adds the published charts to Helm.
	AddCommand string
	// Actions are the buttons, and NotAllowed says why they are disabled.
	Actions    []actionButton
	NotAllowed string
}

func showSource(r *request) (*view, error) {
	source, err := getSource(r)
	if err != nil {
		return nil, err
	}
	v := sourceView{sourceRow: newSourceRow(r.lang, source)}
	if v.Actions, v.NotAllowed, err = sourceButtons(r, source); err != nil {
		return nil, err
	}
	steps := []string{v1alpha1.ConditionReachable, v1alpha1.ConditionIndexed}
	if source.Spec.Verify != nil {
		steps = append(steps, v1alpha1.ConditionVerified)
	}
	v.Milestones = milestonesOf(r.lang, source.Status.Conditions, source.CreationTimestamp.Time, false, steps...)
	for i := range v.Milestones { // They are checked again and again.
		v.Milestones[i].Took = ""
	}
	v.Address = sourcebuilder.RequestFor(source).Location
	v.AppsURL = "/apps" + queryOf(url.Values{"source": {source.Name}})
	v.MoreFailed = int(v.Apps.Failed) > len(source.Status.Failures)
	v.FailedURL = "/apps" + queryOf(url.Values{"source": {source.Name}, "state": {"Failed"}})
	if source.Status.RepositoryURL != "" {
		v.AddCommand = "helm repo add " + quoteForShell(source.Name) + " " + quoteForShell(source.Status.RepositoryURL)
	}
	return &view{
		name: "source", titles: []string{source.Name, r.Text("sources.title")}, section: "sources", data: v,
		topics: []live.Topic{{Resource: kube.Sources, Namespace: source.Namespace, Name: source.Name}},
	}, nil
}
