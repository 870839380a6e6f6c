package helm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/storage"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/appmarket/operator/internal/fault"
)

// cluster is Helm's way to the cluster, with three differences: it waits no
// longer than its operation lives, it never deletes a volume claim, and it does
// not carry out a hook that this run has carried out before it was cut off.
type cluster struct {
	*kube.Client
	ctx     context.Context
	records *records
	store   *storage.Storage
	hooks   hooks
	// forgiving leaves out objects of kinds that the cluster no longer has, which
	// are gone with their kind, when a release is uninstalled.
	forgiving bool
	// retained are objects that must not be deleted, as far as was found out.
	retained map[identity]bool
	// operation is what the cluster is used for.
	operation *operation
	// phase is the part of the operation that its hooks belong to, such as install,
	// and changed says that it has changed objects: hooks that follow are post hooks.
	phase   string
	changed bool
	// failure is the last error met, in full: Helm often keeps only its text, or
	// not even that. A stepFailure stays.
	failure error
}

// IsReachable is for requests to find out.
func (c *cluster) IsReachable() error { return nil }

// Build reads the objects of a manifest.
func (c *cluster) Build(reader io.Reader, validate bool) (kube.ResourceList, error) {
	found, err := c.Client.Build(reader, validate)
	if err != nil && c.forgiving && onlyMissingKinds(err) {
		err = nil
	}
	return found, c.note(err)
}

// Create creates objects, hooks among them unless this run did so before.
func (c *cluster) Create(resources kube.ResourceList) (*kube.Result, error) {
	var fresh kube.ResourceList
	for _, info := range resources {
		keep, err := c.resumeHook(info)
		if err != nil {
			return nil, c.note(err)
		}
		if !keep {
			fresh.Append(info)
		}
	}
	if len(fresh) == 0 {
		return &kube.Result{}, nil
	}
	if isHook(fresh[0]) {
		result, err := c.createHooks(fresh)
		if err == nil {
			fault.Point(fault.HelmHookCreated, c.records.subject())
		}
		return result, c.note(err)
	}
	result, err := c.Client.Create(fresh)
	if err == nil && c.records.begun { // CRDs come before
		c.changed = true
		fault.Point(fault.HelmObjectsApplied, c.records.subject())
	}
	return result, c.note(err)
}

// Update brings objects from one state to another. A volume claim that the target
// goes without stays: one of a release that was adopted bears no mark to be kept. So
// does what must not be deleted for the sake of claims.
func (c *cluster) Update(original, target kube.ResourceList, force bool) (*kube.Result, error) {
	leaving := original.Difference(target)
	if err := c.retainOf(leaving); err != nil {
		return nil, err
	}
	original = original.Filter(func(info *resource.Info) bool {
		return target.Contains(info) || !isClaim(info) && !c.isRetained(info)
	})
	result, err := c.Client.Update(original, target, force)
	if err == nil {
		c.changed = true
		fault.Point(fault.HelmObjectsApplied, c.records.subject())
	}
	return result, c.note(err)
}

// Delete deletes hooks.
func (c *cluster) Delete(resources kube.ResourceList) (*kube.Result, []error) {
	return c.DeleteWithPropagationPolicy(resources, metav1.DeletePropagationBackground)
}

// DeleteWithPropagationPolicy deletes objects, but no volume claims, nor has it them
// deleted with the objects that own or hold them.
func (c *cluster) DeleteWithPropagationPolicy(
	resources kube.ResourceList, policy metav1.DeletionPropagation,
) (*kube.Result, []error) {
	var doomed kube.ResourceList
	for _, info := range resources {
		spared, err := c.spared(info)
		if err == nil && !spared && isHook(info) {
			spared, err = c.isGoneHook(info)
		}
		if err != nil {
			return nil, []error{c.note(err)}
		}
		if !spared {
			doomed.Append(info)
		}
	}
	if err := c.retainOf(doomed); err != nil {
		return nil, []error{err}
	}
	doomed = doomed.Filter(func(info *resource.Info) bool { return !c.isRetained(info) })
	if len(doomed) == 0 {
		return &kube.Result{}, nil
	}
	result, errs := c.Client.DeleteWithPropagationPolicy(doomed, policy)
	if len(errs) > 0 {
		_ = c.note(errors.Join(errs...)) // it is the caller's to return
	}
	if !isHook(doomed[0]) {
		c.changed = true
	}
	return result, errs
}

func isClaim(info *resource.Info) bool {
	return info.Mapping.GroupVersionKind.GroupKind() == corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim").GroupKind()
}

// passing reports whether an error of a read may be gone the next time.
func passing(err error) bool {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return !errors.Is(err, context.Canceled)
	}
	return apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err)
}

// note remembers an error.
func (c *cluster) note(err error) error {
	if _, explained := errors.AsType[*stepFailure](c.failure); err != nil && !explained {
		c.failure = err
	}
	return err
}

// onlyMissingKinds reports whether an error of Build is about nothing but kinds
// that the cluster does not have.
func onlyMissingKinds(err error) bool {
	var many interface{ Errors() []error }
	if errors.As(err, &many) {
		for _, one := range many.Errors() {
			if !onlyMissingKinds(one) {
				return false
			}
		}
		return true
	}
	return meta.IsNoMatchError(err) || missingKind.MatchString(err.Error())
}

// condition returns the status of a condition of an object, and its reason and message.
func condition(live *unstructured.Unstructured, name string) (metav1.ConditionStatus, string, error) {
	found, _, err := unstructured.NestedFieldNoCopy(live.Object, "status", "conditions")
	if err != nil {
		return "", "", fmt.Errorf("read conditions of %s: %w", live.GetName(), err)
	}
	conditions, _ := found.([]any) // a new CRD has null
	for _, item := range conditions {
		one, _ := item.(map[string]any)
		if one["type"] == name {
			status, _ := one["status"].(string)
			reason, _ := one["reason"].(string)
			message, _ := one["message"].(string)
			return metav1.ConditionStatus(status), strings.TrimSuffix(reason+": "+message, ": "), nil
		}
	}
	return "", "", nil
}

// GetPodList finds no pods: logs of hooks are not read.
func (c *cluster) GetPodList(string, metav1.ListOptions) (*corev1.PodList, error) {
	return &corev1.PodList{}, nil
}

// OutputContainerLogsForPodList writes nothing.
func (c *cluster) OutputContainerLogsForPodList(*corev1.PodList, string, func(_, _, _ string) io.Writer) error {
	return nil
}
