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

// Stop brings the workloads of a release to nothing: Deployment, StatefulSet,
// ReplicaSet and ReplicationController to no replicas, CronJob and a Job that has
// not ended to suspended, so that it begins anew later, DaemonSet to nodes that
// nobody has. A StatefulSet keeps its volume claims even if it would delete them
// when scaled down. What each was before is noted on it; one that has such a note
// and is stopped is left alone, so that a Stop that was cut off is completed by the
// next. One that runs in spite of its note, since an upgrade has set it going again,
// is stopped again and keeps the note. Pods are not waited for.
//
// Left alone are pods of the chart itself, jobs that a CronJob has begun, custom
// kinds, and what belongs to another release. A HorizontalPodAutoscaler does
// nothing as long as its target has no replicas, so there is no need to touch it.
// A release that is not there, or is removed, has nothing to stop. Errors carry
// StopFailed or PermissionDenied; what can be stopped is stopped nevertheless.
func (c *Client) Stop(ctx context.Context, name string) error {
	o, err := c.begin(ctx)
	if err != nil {
		return err
	}
	err = o.changeWorkloads(name, "stop", func(_ ObjectRef, by lever, live *unstructured.Unstructured) ([]byte, error) {
		if ended(live) {
			return nil, nil
		}
		off, err := by.isOff(live)
		if err != nil || off && noted(live) {
			return nil, err
		}
		return by.stop(live)
	})
	return o.judge(v1alpha1.ReasonStopFailed, err)
}

// Resume brings the workloads of a release back to what Stop has noted, and
// removes the notes. Replicas are kept within the bounds of a
// HorizontalPodAutoscaler that scales them, which may have changed meanwhile. A
// workload without a note is left alone: somebody else has seen to it. Errors
// carry ResumeFailed or PermissionDenied; as with Stop, the next call goes on.
func (c *Client) Resume(ctx context.Context, name string) error {
	o, err := c.begin(ctx)
	if err != nil {
		return err
	}
	scalers := autoscalers{operation: o}
	err = o.changeWorkloads(name, "resume", func(ref ObjectRef, by lever, live *unstructured.Unstructured) ([]byte, error) {
		if !noted(live) {
			return nil, nil
		}
		before, err := by.readNote(live)
		if err != nil {
			return nil, err
		}
		if count, ok := before[fieldReplicas.name()].(int64); ok && count > 0 {
			if before[fieldReplicas.name()], err = scalers.within(ref, count); err != nil {
				return nil, err
			}
		}
		return by.resume(live, before)
	})
	return o.judge(v1alpha1.ReasonResumeFailed, err)
}

// Workloads counts the workloads of a release that Stop would see to, and those of
// them that are stopped, by Stop or by hand. Jobs that have ended and what is gone
// do not count. Pods may still be about to end.
func (c *Client) Workloads(ctx context.Context, name string) (stopped, total int, err error) {
	o, err := c.begin(ctx)
	if err != nil {
		return 0, 0, err
	}
	err = o.changeWorkloads(name, "look at", func(_ ObjectRef, by lever, live *unstructured.Unstructured) ([]byte, error) {
		if ended(live) {
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
		return 0, 0, o.judge(v1alpha1.ReasonStopFailed, err)
	}
	return stopped, total, nil
}

// workloadChange gives the merge patch for a workload, none if it is well as it is.
type workloadChange func(ref ObjectRef, by lever, live *unstructured.Unstructured) ([]byte, error)

// changeWorkloads changes every workload of a release, one after the other, and
// goes on where one cannot be changed.
func (o *operation) changeWorkloads(name, verb string, change workloadChange) error {
	history, err := o.history(name)
	if err != nil {
		return err
	}
	refs, err := o.inCluster(history)
	if err != nil {
		return err
	}
	var failed []error
	for _, ref := range refs {
		by, ok := leverOf(ref)
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

// inCluster are the objects that a release may have in the cluster, those of the
// newest revision first.
func (o *operation) inCluster(history []*release.Release) ([]ObjectRef, error) {
	if len(history) == 0 || removed(history[len(history)-1]) {
		return nil, nil
	}
	var all []ObjectRef
	seen := map[identity]bool{}
	for _, revision := range slices.Backward(replaced(history)) {
		refs, err := o.client.objects(revision)
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

// removed reports whether a revision was removed, or its removal was begun.
func removed(r *release.Release) bool {
	return !r.Info.Deleted.IsZero() ||
		r.Info.Status == release.StatusUninstalled || r.Info.Status == release.StatusUninstalling
}

func (o *operation) changeWorkload(ref ObjectRef, owner *release.Release, by lever, change workloadChange) error {
	objects, err := o.resource(ref)
	if err != nil {
		return err
	}
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		live, err := objects.Get(o.ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if ofAnother(live, owner) {
			return nil
		}
		patch, err := change(ref, by, live)
		if err != nil || patch == nil {
			return err
		}
		if patch, err = locked(patch, live); err != nil {
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

// ofAnother reports whether an object belongs to another release.
func ofAnother(live *unstructured.Unstructured, owner *release.Release) bool {
	marks := live.GetAnnotations()
	name, namespace := marks[releaseNameMark], marks[releaseNamespaceMark]
	return name != "" && name != owner.Name || namespace != "" && namespace != owner.Namespace
}
