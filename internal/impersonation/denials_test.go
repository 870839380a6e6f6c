package impersonation_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/impersonation"
)

func TestDenials(t *testing.T) {
	const denial = `secrets is forbidden: User "system:serviceaccount:team:installer" cannot create resource "secrets" in API group "" in the namespace "team"`
	for _, c := range []struct {
		why, text string
		want      []string
	}{
		{why: "another cause", text: `pods "a" is forbidden: violates PodSecurity "restricted:latest"`},
		{why: "a service account, named once", text: denial + "; " + denial,
			want: []string{`service account "team/installer" cannot create secrets in namespace "team"`}},
		{why: "a user, a group of the API, and no namespace",
			text: `User "ann" cannot list resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope`,
			want: []string{`user "ann" cannot list clusterroles.rbac.authorization.k8s.io at cluster scope`}},
	} {
		NewWithT(t).Expect(impersonation.Denials(c.text)).To(Equal(c.want), c.why)
	}
}
