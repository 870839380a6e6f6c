package pages

import (
	"errors"

	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
	"github.com/appmarket/operator/ui/reports"
)

// aboutView contains the version of the pages, the user, and the permissions of the user.
type aboutView struct {
	Version   string
	User      string
	SignIn    string
	Namespace string
	Rights    []rightRow
	// Operator is the state of the operator, nil if its URL is unknown or if it does not respond, and OperatorAway
	// reports the latter.
	Operator     *reports.OperatorState
	OperatorAway bool
	// Cluster is the version of Kubernetes, empty if it is unknown.
	Cluster string
}

type rightRow struct {
	Text    string
	Allowed bool
}

func showAbout(r *request) (*view, error) {
	v := aboutView{Version: r.server.Version, User: r.session.User, SignIn: r.server.signInName(r.lang), Namespace: namespaceOf(r)}
	for _, right := range []struct{ text, verb, resource string }{
		{"about.listApps", "list", kube.Apps}, {"about.listSources", "list", kube.Sources}, {"about.createSources", "create", kube.Sources},
		{"about.listInstances", "list", kube.Instances}, {"about.updateInstances", "update", kube.Instances},
		{"about.listTasks", "list", kube.Tasks}, {"about.createTasks", "create", kube.Tasks},
	} {
		allowed, err := r.Allows(r.Context(), right.verb, right.resource, v.Namespace, "")
		if err != nil {
			return nil, err
		}
		v.Rights = append(v.Rights, rightRow{r.Text(right.text), allowed})
	}
	v.addVersions(r)
	return &view{name: "about", titles: []string{r.Text("about.title")}, section: "about", data: v}, nil
}

// addVersions adds the versions of the operator and of the cluster. The page is complete without them.
func (v *aboutView) addVersions(r *request) {
	state, err := r.server.Reports.FetchState(r.Context())
	switch {
	case err == nil:
		v.Operator = &state
	case !errors.Is(err, reports.ErrNoRepository):
		v.OperatorAway = true
		r.server.Log.Error(err, "Cannot get the state of the operator")
	}
	if v.Cluster, err = r.FetchClusterVersion(); err != nil {
		r.server.Log.Error(err, "Cannot get the version of the cluster")
	}
}

// signInName returns how users sign in.
func (s *Server) signInName(l *locale.Language) string {
	switch {
	case s.Link != nil:
		return l.Text("about.link")
	case s.Issuer != nil:
		return s.Issuer.Host()
	case s.Proxy != nil:
		return l.Text("about.proxy")
	}
	return l.Text("about.token")
}
