package scale

import (
	"context"
	"errors"
	"fmt"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/cluster"
)

// Workloads are the workloads of one release.
type Workloads struct {
	// Client acts as the tenant.
	Client *cluster.Client
	// Objects are the objects of the release that may exist in the cluster. Kinds that cannot be stopped
	// are ignored.
	Objects []v1alpha1.ObjectReference
	// Owner is the newest revision of the release. Objects of other releases are not changed.
	Owner *release.Release
}

// Stop stops the workloads of a release. It scales Deployments, StatefulSets, ReplicaSets and
// ReplicationControllers to zero replicas, suspends CronJobs and Jobs that have not ended, and
// restricts DaemonSets to a label that no node has. A suspended Job starts again from the beginning
// when it is resumed. A StatefulSet keeps its volume claims even if its policy is to delete them
// when it is scaled down. Stop stores the previous state of each workload in an annotation. It does
// not change a stopped workload that has the annotation, so that a repeated Stop completes an
// interrupted one. A workload that runs in spite of the annotation, because an upgrade started it,
// is stopped again and keeps the annotation. Stop does not wait for pods.
//
// Stop does not change Pods of the chart, Jobs that a CronJob has created, custom kinds, and
// objects of other releases. It does not change a HorizontalPodAutoscaler, which is inactive while
// its target has zero replicas. If a workload cannot be stopped, Stop continues with the others.
func (w Workloads) Stop(ctx context.Context) error {
	return w.changeWorkloads(ctx, "stop", func(_ v1alpha1.ObjectReference, by scaleField, live *unstructured.Unstructured) ([]byte, error) {
		if isFinishedJob(live) {
			return nil, nil
		}
		off, err := by.isOff(live)
		if err != nil || off && isStopped(live) {
			return nil, err
		}
		return by.stopPatch(live)
	})
}

// Resume restores the state of the workloads before Stop, and removes the annotations. It limits
// replicas to the bounds of a HorizontalPodAutoscaler that scales the workload, because the bounds
// may have changed. It does not change a workload without the annotation. If a workload cannot be
// resumed, Resume continues with the others.
func (w Workloads) Resume(ctx context.Context) error {
	scalers := Autoscalers{Client: w.Client}
	return w.changeWorkloads(ctx, "resume", func(ref v1alpha1.ObjectReference, by scaleField, live *unstructured.Unstructured) ([]byte, error) {
		if !isStopped(live) {
			return nil, nil
		}
		before, err := by.readSavedState(live)
		if err != nil {
			return nil, err
		}
		if count, ok := before[fieldReplicas.fieldName()].(int64); ok && count > 0 {
			if before[fieldReplicas.fieldName()], err = scalers.limitReplicas(ctx, ref, count); err != nil {
				return nil, err
			}
		}
		return by.resumePatch(live, before)
	})
}

// Count counts the workloads of the release that Stop would change, and how many of them are
// stopped, by Stop or by another client. Jobs that have ended and missing objects are not counted.
// Pods of stopped workloads may still be terminating.
func (w Workloads) Count(ctx context.Context) (stopped, total int, err error) {
	err = w.changeWorkloads(ctx, "count", func(_ v1alpha1.ObjectReference, by scaleField, live *unstructured.Unstructured) ([]byte, error) {
		if isFinishedJob(live) {
			return nil, nil
		}
		total++
		off, err := by.isOff(live)
		if off {
			stopped++
		}
		return nil, err
	})
	return stopped, total, err
}

// workloadChange returns the merge patch for a workload, or nil if no change is needed.
type workloadChange func(ref v1alpha1.ObjectReference, by scaleField, live *unstructured.Unstructured) ([]byte, error)

// changeWorkloads changes every workload of a release, one after the other. If a workload cannot be
// changed, it continues with the others.
func (w Workloads) changeWorkloads(ctx context.Context, verb string, change workloadChange) error {
	var failed []error
	for _, ref := range w.Objects {
		by, ok := scaleFieldFor(ref)
		if !ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(append(failed, err)...)
		}
		if err := w.changeWorkload(ctx, ref, by, change); err != nil {
			failed = append(failed, fmt.Errorf("%s %s: %w", verb, ref, err))
		}
	}
	return errors.Join(failed...)
}

func (w Workloads) changeWorkload(ctx context.Context, ref v1alpha1.ObjectReference, by scaleField, change workloadChange) error {
	objects, err := w.Client.ResourceClient(ref)
	if err != nil {
		return err
	}
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		live, err := objects.Get(ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if cluster.IsOwnedByOther(live, w.Owner) {
			return nil
		}
		patch, err := change(ref, by, live)
		if err != nil || patch == nil {
			return err
		}
		if patch, err = withResourceVersion(patch, live); err != nil {
			return err
		}
		_, err = objects.Patch(ctx, ref.Name, types.MergePatchType, patch,
			metav1.PatchOptions{FieldManager: kube.ManagedFieldsManager})
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
