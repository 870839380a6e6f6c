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

// A witness records which objects are created and deleted in a namespace. It uses a watch and not
// the audit log, which does not show whether a request was completed after its client was killed.
type witness struct {
	mu   sync.Mutex
	seen map[watch.EventType][]client.Object
}

func (t *tenant) witness(ctx context.Context) *witness {
	GinkgoHelper()
	watching, err := client.NewWithWatch(cfg, client.Options{Scheme: cluster.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	w := &witness{seen: map[watch.EventType][]client.Object{}}
	for _, list := range []client.ObjectList{&batchv1.JobList{}, &corev1.PersistentVolumeClaimList{}, &appsv1.DeploymentList{}} {
		one, err := watching.Watch(ctx, list, client.InNamespace(t.Namespace))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(one.Stop)
		go w.follow(one)
	}
	return w
}

func (w *witness) follow(one watch.Interface) {
	for e := range one.ResultChan() {
		if o, ok := e.Object.(client.Object); ok {
			w.mu.Lock()
			w.seen[e.Type] = append(w.seen[e.Type], o)
			w.mu.Unlock()
		}
	}
}

// names returns the sorted names of the objects of type T that were created or deleted, once for
// each event.
func names[T client.Object](w *witness, what watch.EventType) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := []string{}
	for _, o := range w.seen[what] {
		if _, ok := o.(T); ok {
			found = append(found, o.GetName())
		}
	}
	slices.Sort(found)
	return found
}

// hooks checks that each of the given hook Jobs was created exactly once.
func (w *witness) hooks(ctx context.Context, expected ...string) {
	GinkgoHelper()
	Eventually(func() []string { return names[*batchv1.Job](w, watch.Added) }).WithContext(ctx).Should(Equal(each(expected...)), "hooks that were run")
}
