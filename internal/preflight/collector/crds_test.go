package collector_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/test/testenv"
)

func TestCRDsInTheCRDFolder(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := release.Tenant{Namespace: server.Namespace(t, nil), ServiceAccount: "some"}
	server.Allow(t, tenant.Namespace, tenant.ServiceAccount, rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
	for _, c := range []struct {
		why, group, kind, version string
		reasons                   []string
	}{
		{"a CRD that the cluster has", "appmarket.io", "AppInstance", "v1alpha1", nil},
		{"a CRD that the cluster has in another version", "appmarket.io", "AppInstance", "v9", nil},
		{"a CRD of a group that the cluster has", "appmarket.io", "Absent", "v1alpha1", []string{v1alpha1.ReasonClusterPermissionRequired}},
		{"a CRD of a group that the cluster lacks", "absent.example.com", "AppInstance", "v1alpha1", []string{v1alpha1.ReasonClusterPermissionRequired}},
	} {
		w := newRequest(tenant)
		w.Units[0].Documents = append(w.Units[0].Documents, newDocument("web/crds/a.yaml", fmt.Sprintf(
			"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: all.%[1]s}\n"+
				"spec: {group: %[1]s, scope: Namespaced, names: {kind: %[2]s, plural: all}, versions: [{name: %[3]s, served: true, storage: true}]}",
			c.group, c.kind, c.version)))
		g.Expect(checkReasons(t.Context(), newCollector(t, server), w)).To(Equal(c.reasons), c.why)
	}
}
