package story_test

import (
	"context"
	"slices"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A recorder records which objects are created and deleted in a namespace. It uses a watch and not
// the audit log, which does not show whether a request was completed after its client was killed.
type recorder struct {
	mu      sync.Mutex
	objects map[watch.EventType][]client.Object
}

func (t *tenant) startRecorder(ctx context.Context) *recorder {
	GinkgoHelper()
	watching, err := client.NewWithWatch(restConfig, client.Options{Scheme: k8sClient.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	r := &recorder{objects: map[watch.EventType][]client.Object{}}
	for _, list := range []client.ObjectList{&batchv1.JobList{}, &corev1.PersistentVolumeClaimList{}, &appsv1.DeploymentList{}} {
		one, err := watching.Watch(ctx, list, client.InNamespace(t.Namespace))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(one.Stop)
		go r.recordEvents(one)
	}
	return r
}

func (r *recorder) recordEvents(one watch.Interface) {
	for e := range one.ResultChan() {
		if o, ok := e.Object.(client.Object); ok {
			r.mu.Lock()
			r.objects[e.Type] = append(r.objects[e.Type], o)
			r.mu.Unlock()
		}
	}
}

// recordedNames returns the sorted names of the objects of type T that were created or deleted, once
// for each event.
func recordedNames[T client.Object](r *recorder, what watch.EventType) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := []string{}
	for _, o := range r.objects[what] {
		if _, ok := o.(T); ok {
			found = append(found, o.GetName())
		}
	}
	slices.Sort(found)
	return found
}

// expectHooksOnce checks that each of the given hook Jobs was created exactly once.
func (r *recorder) expectHooksOnce(ctx context.Context, expected ...string) {
	GinkgoHelper()
	Eventually(func() []string { return recordedNames[*batchv1.Job](r, watch.Added) }).WithContext(ctx).Should(Equal(workerObjects(expected...)), "each hook runs once")
}
