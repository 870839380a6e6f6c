package health

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
)

// TestFailuresAreKeptOnlyForTrackedObjects fails and deletes two jobs, as a CronJob does, and
// tracks only one of them.
func TestFailuresAreKeptOnlyForTrackedObjects(t *testing.T) {
	g := NewWithT(t)
	var notified []types.NamespacedName
	w := &watch{
		users: map[string]map[*trackedInstance]bool{}, failures: map[string]objectStatus{},
		notify: func(names ...types.NamespacedName) { notified = append(notified, names...) },
	}
	blog := &trackedInstance{name: types.NamespacedName{Namespace: "tenant", Name: "blog"}}
	w.addUser(v1alpha1.ObjectReference{APIVersion: "batch/v1", Kind: "Job", Namespace: "tenant", Name: "own"}, blog)
	for _, name := range []string{"other", "own"} {
		w.handleChange(&cacheEntry{ObjectMeta: metav1.ObjectMeta{Namespace: "tenant", Name: name}, status: objectStatus{state: failed}}, nil)
	}
	g.Expect(w.failures).To(And(HaveLen(1), HaveKey("tenant/own")))
	g.Expect(notified).To(Equal([]types.NamespacedName{blog.name}))
}
