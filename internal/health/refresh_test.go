package health_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/internal/release"
)

// TestRefreshForgetsWhatWasSeenBefore changes a workload that is ready, and looks at
// once: the watch may still show it as it was.
func TestRefreshForgetsWhatWasSeenBefore(t *testing.T) {
	s := newScene(t, everything)
	web := s.apply(workload("Deployment", "web"))
	s.track("blog", web)
	ready := release.Health{Total: 1, Ready: 1}
	for generation := 1; generation <= 20; generation++ {
		s.patchStatus(web, fmt.Sprintf(`{"observedGeneration":%d,"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1,
"conditions":[{"type":"Available","status":"True"},{"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable"}]}`, generation))
		s.becomes("blog", ready)
		change := fmt.Sprintf(`{"spec":{"minReadySeconds":%d}}`, generation)
		s.Expect(apiServer.admin.Patch(t.Context(), live(web), ctrl.RawPatch("application/merge-patch+json", []byte(change)))).To(Succeed())
		s.Expect(s.watcher.Refresh(t.Context(), s.instance("blog"))).To(Succeed())
		now, known, err := s.watcher.Health(t.Context(), s.instance("blog"))
		s.Expect(err).NotTo(HaveOccurred())
		s.Expect(known).To(BeTrue())
		s.Expect(now.Healthy()).To(BeFalse(), "nobody has made the new generation ready")
	}
	s.Expect(s.watcher.Refresh(t.Context(), s.instance("nobody"))).To(Succeed(), "what is not followed has nothing to forget")
}
