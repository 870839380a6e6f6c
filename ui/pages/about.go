package pages

import (
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

// aboutView says what the pages are, who the user is, and what the user may do here.
type aboutView struct {
	Version   string
	User      string
	SignIn    string
	Namespace string
	Rights    []rightRow
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
	return &view{name: "about", titles: []string{r.Text("about.title")}, section: "about", data: v}, nil
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
