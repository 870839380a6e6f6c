package helm

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/appmarket/operator/api/v1alpha1"
)

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
// its target has zero replicas. If the release does not exist or is removed, there is nothing to
// stop. Errors have the reason StopFailed or PermissionDenied. If a workload cannot be stopped,
// Stop continues with the others.
func (c *Client) Stop(ctx context.Context, name string) error {
	o, err := c.newOperation(ctx)
	if err != nil {
		return err
	}
	err = o.changeWorkloads(name, "stop", func(_ ObjectRef, by scaleField, live *unstructured.Unstructured) ([]byte, error) {
		if isFinishedJob(live) {
			return nil, nil
		}
		off, err := by.isOff(live)
		if err != nil || off && isStopped(live) {
			return nil, err
		}
		return by.stopPatch(live)
	})
	return o.classifyError(v1alpha1.ReasonStopFailed, err)
}

// Resume restores the state of the workloads before Stop, and removes the annotations. It limits
// replicas to the bounds of a HorizontalPodAutoscaler that scales the workload, because the bounds
// may have changed. It does not change a workload without the annotation. Errors have the reason
// ResumeFailed or PermissionDenied. If a workload cannot be resumed, Resume continues with the
// others.
func (c *Client) Resume(ctx context.Context, name string) error {
	o, err := c.newOperation(ctx)
	if err != nil {
		return err
	}
	scalers := autoscalers{operation: o}
	err = o.changeWorkloads(name, "resume", func(ref ObjectRef, by scaleField, live *unstructured.Unstructured) ([]byte, error) {
		if !isStopped(live) {
			return nil, nil
		}
		before, err := by.readSavedState(live)
		if err != nil {
			return nil, err
		}
		if count, ok := before[fieldReplicas.fieldName()].(int64); ok && count > 0 {
			if before[fieldReplicas.fieldName()], err = scalers.limitReplicas(ref, count); err != nil {
				return nil, err
			}
		}
		return by.resumePatch(live, before)
	})
	return o.classifyError(v1alpha1.ReasonResumeFailed, err)
}

// Workloads counts the workloads of a release that Stop would change, and how many of them are
// stopped, by Stop or by another client. Jobs that have ended and missing objects are not counted.
// Pods of stopped workloads may still be terminating.
func (c *Client) Workloads(ctx context.Context, name string) (stopped, total int, err error) {
	o, err := c.newOperation(ctx)
	if err != nil {
		return 0, 0, err
	}
	err = o.changeWorkloads(name, "look at", func(_ ObjectRef, by scaleField, live *unstructured.Unstructured) ([]byte, error) {
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
	if err != nil {
		return 0, 0, o.classifyError(v1alpha1.ReasonStopFailed, err)
	}
	return stopped, total, nil
}

// workloadChange returns the merge patch for a workload, or nil if no change is needed.
type workloadChange func(ref ObjectRef, by scaleField, live *unstructured.Unstructured) ([]byte, error)

// changeWorkloads changes every workload of a release, one after the other. If a workload cannot be
// changed, it continues with the others.
func (o *operation) changeWorkloads(name, verb string, change workloadChange) error {
	history, err := o.readHistory(name)
	if err != nil {
		return err
	}
	refs, err := o.inCluster(history)
	if err != nil {
		return err
	}
	var failed []error
	for _, ref := range refs {
		by, ok := scaleFieldFor(ref)
		if !ok {
			continue
		}
		if err := o.ctx.Err(); err != nil {
			return errors.Join(append(failed, err)...)
		}
		if err := o.changeWorkload(ref, history[len(history)-1], by, change); err != nil {
			failed = append(failed, fmt.Errorf("%s %s: %w", verb, ref, err))
		}
	}
	return errors.Join(failed...)
}

// inCluster returns the objects of a release that may exist in the cluster, starting with the
// objects of the newest revision.
func (o *operation) inCluster(history []*release.Release) ([]ObjectRef, error) {
	if len(history) == 0 || isRemoved(history[len(history)-1]) {
		return nil, nil
	}
	var all []ObjectRef
	seen := map[identity]bool{}
	for _, revision := range slices.Backward(replacedRevisions(history)) {
		refs, err := o.client.objectRefs(revision)
		if err != nil {
			return nil, err
		}
		for _, ref := range refs {
			if key := identityOf(ref); !seen[key] {
				seen[key] = true
				all = append(all, ref)
			}
		}
	}
	return all, nil
}

// isRemoved reports whether a release was removed, or its removal was started.
func isRemoved(r *release.Release) bool {
	return !r.Info.Deleted.IsZero() ||
		r.Info.Status == release.StatusUninstalled || r.Info.Status == release.StatusUninstalling
}

func (o *operation) changeWorkload(ref ObjectRef, owner *release.Release, by scaleField, change workloadChange) error {
	objects, err := o.resourceClient(ref)
	if err != nil {
		return err
	}
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		live, err := objects.Get(o.ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if isOwnedByOther(live, owner) {
			return nil
		}
		patch, err := change(ref, by, live)
		if err != nil || patch == nil {
			return err
		}
		if patch, err = withResourceVersion(patch, live); err != nil {
			return err
		}
		_, err = objects.Patch(o.ctx, ref.Name, types.MergePatchType, patch,
			metav1.PatchOptions{FieldManager: kube.ManagedFieldsManager})
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// isOwnedByOther reports whether an object belongs to another release.
func isOwnedByOther(live *unstructured.Unstructured, owner *release.Release) bool {
	marks := live.GetAnnotations()
	name, namespace := marks[releaseNameAnnotation], marks[releaseNamespaceAnnotation]
	return name != "" && name != owner.Name || namespace != "" && namespace != owner.Namespace
}
