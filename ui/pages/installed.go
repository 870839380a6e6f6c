package pages

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

const (
	// maxRows is the number of rows of a list on one page.
	maxRows = 200
	// maxCellBytes bounds a message in a row.
	maxCellBytes = 160
)

// instanceRow is an instance in a list.
type instanceRow struct {
	Instance *v1alpha1.AppInstance
	Title    string
	// IconURL is the URL of the icon of the app in the list of instances, empty if there is none.
	IconURL string
	State   badge
	Message string
	// OpenURL is the URL of the first entrance that can be opened, empty if there is none. HasEntrance
	// reports that there is an entrance without a URL.
	OpenURL     string
	HasEntrance bool
}

// installedView is the list of instances.
type installedView struct {
	Rows  []instanceRow
	Total int
	// Uninstalled is the number of records of uninstalled apps that the list leaves out.
	Uninstalled int
	ShowAll     string
	Namespace   string
	State       string
	Query       string
	States      []option
	Nothing     emptyText
	// Upgradable is the number of instances that can be upgraded.
	Upgradable int

	pageLinks
	page  int
	urlOf func(number int) string
}

// option is a value of a choice.
type option struct {
	Value, Text string
	Chosen      bool
}

func newInstanceRow(l *locale.Language, instance *v1alpha1.AppInstance) instanceRow {
	row := instanceRow{Instance: instance, Title: cmp.Or(instance.Spec.Title, instance.Name), State: instanceBadge(l, instance)}
	entrances := newEntranceRows(instance)
	row.OpenURL, row.HasEntrance = firstOpenURL(instance, entrances), len(entrances) > 0
	if row.State.Class == "bad" || row.State.Class == "busy" {
		row.Message = readyMessage(instance)
	}
	return row
}

// readyMessage returns the short message of why an instance is not ready.
func readyMessage(instance *v1alpha1.AppInstance) string {
	for _, name := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionReconciling} {
		if c := meta.FindStatusCondition(instance.Status.Conditions, name); c != nil && c.Message != "" {
			return text.Shorten(c.Message, maxCellBytes)
		}
	}
	return ""
}

func compareInstances(a, b instanceRow) int {
	return cmp.Or(strings.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)),
		strings.Compare(a.Instance.Namespace, b.Instance.Namespace), strings.Compare(a.Instance.Name, b.Instance.Name))
}

// stateGroups are the choices of the filter of instances.
var stateGroups = []struct {
	value, text string
	classes     []string
}{
	{"trouble", "installed.trouble", []string{"bad"}},
	{"running", "state.running", []string{"ok"}},
	{"changing", "state.changing", []string{"busy"}},
	{"stopped", "state.stopped", []string{"off"}},
}

func showInstalled(r *request) (*view, error) {
	scope, err := scopeOf(r, kube.Instances)
	if err != nil {
		return nil, err
	}
	all, err := r.server.Cluster.ListInstances(r.Context(), scope)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	v := installedView{Namespace: namespaceOf(r), State: query.Get("state"), Query: text.Truncate(query.Get("find"), maxSearchBytes)}
	v.ShowAll = "/instances" + queryOf(url.Values{"state": {"uninstalled"}, "find": {v.Query}})
	v.page, _ = strconv.Atoi(query.Get("page")) // A page that is not a number is the first one.
	v.urlOf = func(number int) string {
		return "/instances" + queryOf(url.Values{"namespace": {query.Get("namespace")}, "state": {v.State}, "find": {v.Query}, "page": {strconv.Itoa(number)}})
	}
	v.addStates(r.lang)
	v.addRows(r.lang, all)
	for i := range all {
		if canUpgrade(&all[i]) {
			v.Upgradable++
		}
	}
	for i := range v.Rows {
		v.Rows[i].IconURL = instanceIconURL(r, v.Rows[i].Instance)
	}
	switch {
	case len(v.Rows) > 0:
	case scope.IsEmpty() && !scope.Cut:
		v.Nothing = emptyText{
			Title: r.Text("installed.cannotList"), Text: r.Text("problem.grantHint"),
			Command: bindingCommand(r.session.User, "list", kube.Instances, "NAMESPACE", " -n NAMESPACE"),
		}
	case scope.Cut:
		v.Nothing = emptyText{Title: r.Text("list.chooseNamespace"), Text: r.Text("installed.tooManyNamespaces")}
	case v.State != "" || v.Query != "":
		v.Nothing = emptyText{Title: r.Text("installed.noMatch"), Text: r.Text("installed.noMatchText"), URL: "/instances", Link: r.Text("installed.clear")}
	default:
		v.Nothing = emptyText{Title: textIn(r, "installed.none", v.Namespace), Text: r.Text("installed.noneText"), URL: "/apps", Link: r.Text("list.browseApps")}
	}
	return &view{name: "installed", titles: []string{r.Text("installed.title")}, section: "instances", data: v, topics: topicsFor(kube.Instances, scope)}, nil
}

// textIn returns a message, or the one about a namespace if a namespace is selected: its identifier ends
// with In.
func textIn(r *request, id, namespace string) string {
	if namespace == "" {
		return r.Text(id)
	}
	return r.Text(id+"In", "Namespace", namespace)
}

func (v *installedView) addStates(l *locale.Language) {
	for _, group := range stateGroups {
		v.States = append(v.States, option{group.value, l.Text(group.text), v.State == group.value})
	}
	v.States = append(v.States, option{"uninstalled", l.Text("state.uninstalled"), v.State == "uninstalled"})
}

func (v *installedView) addRows(l *locale.Language, all []v1alpha1.AppInstance) {
	for i := range all {
		row := newInstanceRow(l, &all[i])
		if transitions.StateOf(&all[i]) == transitions.Uninstalled && v.State != "uninstalled" {
			v.Uninstalled++
			continue
		}
		if v.accepts(row) {
			v.Rows = append(v.Rows, row)
		}
	}
	v.Total = len(v.Rows)
	slices.SortFunc(v.Rows, compareInstances)
	links, first, end := newPageLinks(v.Total, maxRows, v.page, v.urlOf)
	v.pageLinks, v.Rows = links, v.Rows[first:end]
}

func (v *installedView) accepts(row instanceRow) bool {
	if v.Query != "" {
		found := strings.ToLower(row.Title + "\n" + row.Instance.Name + "\n" + row.Instance.Spec.AppRef.Name)
		if !strings.Contains(found, strings.ToLower(v.Query)) {
			return false
		}
	}
	uninstalled := transitions.StateOf(row.Instance) == transitions.Uninstalled
	if v.State == "uninstalled" {
		return uninstalled
	}
	for _, group := range stateGroups {
		if group.value == v.State {
			return slices.Contains(group.classes, row.State.Class)
		}
	}
	return true
}
