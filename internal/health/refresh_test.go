package health_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// TestRefreshDiscardsEarlierObservations changes a workload that is ready, and reads its health
// immediately, before the watch has observed the change.
func TestRefreshDiscardsEarlierObservations(t *testing.T) {
	s := newFixture(t, allPermissions)
	web := s.applyYAML(workloadYAML("Deployment", "web"))
	s.trackObjects("blog", web)
	ready := release.Health{Total: 1, Ready: 1}
	for generation := 1; generation <= 20; generation++ {
		s.patchStatus(web, fmt.Sprintf(`{"observedGeneration":%d,"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1,
"conditions":[{"type":"Available","status":"True"},{"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable"}]}`, generation))
		s.expectHealth("blog", ready)
		change := fmt.Sprintf(`{"spec":{"minReadySeconds":%d}}`, generation)
		s.Expect(apiServer.admin.Patch(t.Context(), toUnstructured(web), ctrl.RawPatch("application/merge-patch+json", []byte(change)))).To(Succeed())
		s.Expect(s.watcher.Refresh(t.Context(), s.instanceName("blog"))).To(Succeed())
		now, known, err := s.watcher.Health(t.Context(), s.instanceName("blog"))
		s.Expect(err).NotTo(HaveOccurred())
		s.Expect(known).To(BeTrue())
		s.Expect(now.IsHealthy()).To(BeFalse(), "the new generation is not ready")
	}
	s.Expect(s.watcher.Refresh(t.Context(), s.instanceName("untracked"))).To(Succeed(), "an instance that is not tracked is ignored")
}

// TestRefreshOfDeletedObjects deletes objects after Refresh. The watcher must not wait for
// versions that will never be observed.
func TestRefreshOfDeletedObjects(t *testing.T) {
	s := newFixture(t, allPermissions)
	const job = `{apiVersion: batch/v1, kind: Job, metadata: {name: once},
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}}`
	remove := func(ref v1alpha1.ObjectReference) {
		t.Helper()
		s.Expect(apiServer.admin.Delete(t.Context(), toUnstructured(ref), ctrl.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
	}
	refresh := func(name string) {
		t.Helper()
		s.Expect(s.watcher.Refresh(t.Context(), s.instanceName(name))).To(Succeed())
	}

	once := s.applyYAML(job)
	s.patchStatus(once, `{"startTime":"2026-01-01T00:00:00Z","completionTime":"2026-01-01T00:00:00Z","succeeded":1,"conditions":[
{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"}]}`)
	s.trackObjects("chore", once)
	ready := release.Health{Total: 1, Ready: 1}
	s.expectHealth("chore", ready)
	refresh("chore")
	s.expectHealth("chore", ready)
	remove(once)
	s.drainEvents()
	s.expectHealth("chore", ready)

	web := s.applyYAML(workloadYAML("Deployment", "web"))
	change := `{"spec":{"minReadySeconds":1}}`
	s.Expect(apiServer.admin.Patch(t.Context(), toUnstructured(web), ctrl.RawPatch("application/merge-patch+json", []byte(change)))).To(Succeed())
	s.trackObjects("blog", web)
	refresh("blog")
	remove(web)
	s.expectHealth("blog", release.Health{Total: 1, Missing: 1, Failed: true, Message: "Deployment/web is gone"})
	s.applyYAML(workloadYAML("Deployment", "web"))
	s.patchStatus(web, availableStatus)
	s.expectHealth("blog", ready)
}
