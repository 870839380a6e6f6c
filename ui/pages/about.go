package pages

import (
	"github.com/appmarket/operator/ui/kube"
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
	v := aboutView{Version: r.server.Version, User: r.session.User, SignIn: r.server.signInName(), Namespace: namespaceOf(r)}
	for _, right := range []struct{ text, verb, resource string }{
		{"List apps", "list", kube.Apps}, {"List sources", "list", kube.Sources}, {"Create sources", "create", kube.Sources},
		{"List instances", "list", kube.Instances}, {"Update instances", "update", kube.Instances},
		{"List tasks", "list", kube.Tasks}, {"Install and change apps", "create", kube.Tasks},
	} {
		allowed, err := r.Allows(r.Context(), right.verb, right.resource, v.Namespace, "")
		if err != nil {
			return nil, err
		}
		v.Rights = append(v.Rights, rightRow{right.text, allowed})
	}
	return &view{name: "about", titles: []string{"About"}, section: "about", data: v}, nil
}

// signInName returns how users sign in.
func (s *Server) signInName() string {
	switch {
	case s.Link != nil:
		return "one-time link"
	case s.Issuer != nil:
		return s.Issuer.Host()
	case s.Proxy != nil:
		return "proxy"
	}
	return "token"
}
