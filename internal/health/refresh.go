package health

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// Refresh discards the observations of the objects of an instance. Call it after the objects
// were changed. It reads the current version of each object that has a status. The cached
// status of an object is used again after its watch has observed this version.
func (w *Watcher) Refresh(ctx context.Context, instance types.NamespacedName) error {
	w.mu.Lock()
	t := w.instances[instance]
	w.mu.Unlock()
	if t == nil {
		return nil
	}
	now := make([]observedVersion, len(t.objects))
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentPolls)
	for i := range t.objects {
		one := &t.objects[i]
		if one.watch == nil || one.stateless {
			continue
		}
		group.Go(outcome.Guarded(func() error {
			live, err := t.meta.Resource(one.resource).Namespace(one.ref.Namespace).Get(asking, one.ref.Name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("get %s: %w", one.ref, err)
			}
			now[i] = observedVersion{uid: live.GetUID(), generation: live.GetGeneration(), version: live.GetResourceVersion()}
			return nil
		}))
	}
	if err := group.Wait(); err != nil {
		return permissionError(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refreshed = time.Now()
	t.leastObserved = map[v1alpha1.ObjectReference]observedVersion{}
	for i := range t.objects {
		t.leastObserved[t.objects[i].ref] = now[i]
	}
	return nil
}

// observedVersion is a version of an object. The zero value is older than all versions.
type observedVersion struct {
	uid        types.UID
	generation int64
	version    string
}
