package health_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
)

func TestObjectsInOtherNamespacesArePolled(t *testing.T) {
	s := newFixture(t, allPermissions)
	other := newFixture(t)
	web := other.applyYAML(workloadYAML("Deployment", "shared"))
	role := s.applyYAML(fmt.Sprintf("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: %s}}", s.namespace))
	s.trackObjects("blog", web, role)
	_, known, err := s.watcher.Health(t.Context(), s.instanceName("blog"))
	s.Expect(known).To(BeFalse())
	s.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonPermissionDenied))
	s.Expect(err).To(MatchError(ContainSubstring(`service account "` + s.namespace + `/installer" cannot get `)))

	subject := []rbacv1.Subject{{Kind: "ServiceAccount", Name: "installer", Namespace: s.namespace}}
	s.createObject(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "look-" + s.namespace}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"get", "list"},
	}}})
	s.createObject(&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "look-" + s.namespace}, Subjects: subject,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "look-" + s.namespace}})
	s.Eventually(func() error {
		_, _, err := s.watcher.Health(t.Context(), s.instanceName("blog"))
		return err
	}).Should(Succeed())
	s.Expect(s.getHealth("blog").Ready).To(Equal(1))
	other.patchStatus(web, availableStatus)
	s.expectHealth("blog", release.Health{Total: 2, Ready: 2})
	s.Expect(s.watches.open.Load()).To(BeZero())

	s.drainEvents()
	s.deleteObject(role)
	s.Expect(s.getHealth("blog").IsHealthy()).To(BeTrue(), "the last result of polling is used")
	s.Eventually(s.changes, "15s").Should(Receive(), "an event triggers the next poll")
	s.Expect(s.getHealth("blog")).To(Equal(release.Health{
		Total: 2, Ready: 1, Missing: 1, Failed: true, Message: "ClusterRole/" + s.namespace + " is gone",
	}))
}

func TestTenantWithoutWatchPermission(t *testing.T) {
	s := newFixture(t, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"*"}})
	web := s.applyYAML(workloadYAML("Deployment", "web"))
	s.trackObjects("blog", web)
	var err error
	s.Eventually(func() error {
		_, _, err = s.watcher.Health(t.Context(), s.instanceName("blog"))
		return err
	}, "10s").Should(MatchError(fmt.Sprintf(
		`service account "%[1]s/installer" cannot list deployments.apps in namespace %[1]q; grant it the permission`, s.namespace)))
	s.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonPermissionDenied))
	s.Expect(outcome.IsStalled(err)).To(BeFalse())
	s.Eventually(s.changes, "5s").Should(Receive(), "an event is sent")

	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "installer", Namespace: s.namespace}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get", "list", "watch"},
	}}}
	s.Expect(apiServer.admin.Update(t.Context(), role)).To(Succeed())
	s.patchStatus(web, `{"observedGeneration":1}`)
	s.Eventually(func() (string, error) {
		said, _, err := s.watcher.Health(t.Context(), s.instanceName("blog"))
		return said.Message, err
	}, "40s", "100ms").Should(Equal(fmt.Sprintf(
		`Deployment/web: Replicas: 0/1; service account "%[1]s/installer" cannot list pods in namespace %[1]q; grant it the permission`, s.namespace)),
		"the watch works with the permission, and the message lacks only the pods")
}

func TestWatchesAreShared(t *testing.T) {
	s := newFixture(t, allPermissions)
	web, api := s.applyYAML(workloadYAML("Deployment", "web")), s.applyYAML(workloadYAML("Deployment", "api"))
	service := s.applyYAML("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}")
	config := s.applyYAML("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}")
	open := func() int64 { return s.watches.open.Load() }

	s.trackObjects("blog", web, service, config)
	s.getHealth("blog")
	s.Eventually(open).Should(BeEquivalentTo(3), "one watch for each kind")
	s.trackObjects("shop", api)
	s.getHealth("shop")
	s.Eventually(open).Should(BeEquivalentTo(3), "the instances of a tenant share the watches")

	s.drainEvents()
	s.patchStatus(api, availableStatus)
	s.expectHealth("shop", release.Health{Total: 1, Ready: 1})
	s.drainEvents()
	s.patchStatus(api, `{"observedGeneration":1}`)
	s.patchStatus(web, `{"observedGeneration":1}`)
	s.expectHealth("blog", release.Health{Total: 3, Ready: 2, Message: "Deployment/web: Replicas: 0/1"})

	s.trackObjects("blog", web)
	s.getHealth("blog")
	s.Eventually(open).Should(BeEquivalentTo(1), "watches without users end")
	s.patchStatus(web, availableStatus)
	s.expectHealth("blog", release.Health{Total: 1, Ready: 1})

	s.watcher.Untrack(s.instanceName("blog"))
	s.watcher.Untrack(s.instanceName("blog"))
	s.Expect(open()).To(BeEquivalentTo(1))
	s.watcher.Untrack(s.instanceName("shop"))
	s.Eventually(open).Should(BeZero(), "all watches end with the last instance")
	_, known, err := s.watcher.Health(t.Context(), s.instanceName("blog"))
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(known).To(BeFalse())
}

func TestInsignificantChangesHaveNoEvent(t *testing.T) {
	s := newFixture(t, allPermissions)
	web := s.applyYAML(workloadYAML("Deployment", "web"))
	s.patchStatus(web, availableStatus)
	s.trackObjects("blog", web)
	s.expectHealth("blog", release.Health{Total: 1, Ready: 1})
	s.drainEvents()
	for i := range 30 {
		s.patchStatus(web, fmt.Sprintf(`{"collisionCount":%d}`, i))
	}
	s.Consistently(s.changes, "300ms").ShouldNot(Receive(), "a change that does not affect the status has no event")
}

func TestDeletedStatelessObject(t *testing.T) {
	for why, rules := range map[string][]rbacv1.PolicyRule{
		"the tenant may watch it": {allPermissions},
		"the tenant may only get it": {
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"}},
			{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"*"}},
		},
	} {
		t.Run(why, func(t *testing.T) {
			s := newFixture(t, rules...)
			refs := []v1alpha1.ObjectReference{
				s.applyYAML("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}"),
				s.applyYAML("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}"),
			}
			s.trackObjects("blog", refs...)
			s.expectHealth("blog", release.Health{Total: 2, Ready: 2})
			if len(rules) > 1 {
				return // The object is polled.
			}
			s.deleteObject(refs[0])
			s.expectHealth("blog", release.Health{Total: 2, Ready: 1, Missing: 1, Failed: true, Message: "ConfigMap/settings is gone"})
			s.applyYAML("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}")
			s.expectHealth("blog", release.Health{Total: 2, Ready: 2})
		})
	}
}

func TestObjectWithoutTheHelmLabel(t *testing.T) {
	s := newFixture(t, allPermissions)
	web := s.applyYAML(workloadYAML("Deployment", "web"))
	s.patchStatus(web, availableStatus)
	s.trackObjects("blog", web)
	s.expectHealth("blog", release.Health{Total: 1, Ready: 1})
	s.drainEvents()
	s.Expect(apiServer.admin.Patch(t.Context(), toUnstructured(web),
		ctrl.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":null}}`)))).To(Succeed())
	s.Eventually(s.changes, "5s").Should(Receive(), "an event is sent when the object leaves the watch")
	s.Expect(s.getHealth("blog")).To(Equal(release.Health{Total: 1, Ready: 1}), "the object still exists")
}
