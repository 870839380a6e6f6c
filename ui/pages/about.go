package pages

import (
	"github.com/appmarket/operator/ui/kube"
)

// aboutView says what the pages are, who the person is, and what the person may do here.
type aboutView struct {
	Version   string
	User      string
	Local     bool
	Namespace string
	Rights    []rightRow
}

type rightRow struct {
	Text    string
	Allowed bool
}

func showAbout(r *request) (*view, error) {
	v := aboutView{Version: r.server.Version, User: r.session.User, Local: r.session.Local, Namespace: namespaceOf(r)}
	for _, right := range []struct{ text, verb, resource string }{
		{"See apps", "list", kube.Apps}, {"See sources", "list", kube.Sources}, {"Add sources", "create", kube.Sources},
		{"See instances", "list", kube.Instances}, {"Change instances", "update", kube.Instances},
		{"See tasks", "list", kube.Tasks}, {"Install and change apps", "create", kube.Tasks},
	} {
		allowed, err := r.Allows(r.Context(), right.verb, right.resource, v.Namespace, "")
		if err != nil {
			return nil, err
		}
		v.Rights = append(v.Rights, rightRow{right.text, allowed})
	}
	return &view{name: "about", titles: []string{"About"}, data: v}, nil
}
