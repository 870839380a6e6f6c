package helm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/storage"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
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
	// failure is the last error met, in full: Helm often keeps only its text, or
	// not even that.
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
	result, err := c.Client.Create(fresh)
	switch {
	case err != nil:
	case isHook(fresh[0]):
		fault.Point(fault.HelmHookCreated, c.records.subject())
	case c.records.begun: // CRDs come before
		fault.Point(fault.HelmObjectsApplied, c.records.subject())
	}
	return result, c.note(err)
}

// Update brings objects from one state to another. A volume claim that the target
// goes without stays: one of a release that was adopted bears no mark to be kept.
func (c *cluster) Update(original, target kube.ResourceList, force bool) (*kube.Result, error) {
	original = original.Filter(func(info *resource.Info) bool { return !isClaim(info) || target.Contains(info) })
	if err := c.retainOf(original.Difference(target)); err != nil {
		return nil, err
	}
	result, err := c.Client.Update(original, target, force)
	if err == nil {
		fault.Point(fault.HelmObjectsApplied, c.records.subject())
	}
	return result, c.note(err)
}

// Delete deletes hooks.
func (c *cluster) Delete(resources kube.ResourceList) (*kube.Result, []error) {
	return c.DeleteWithPropagationPolicy(resources, metav1.DeletePropagationBackground)
}

// DeleteWithPropagationPolicy deletes objects, but no volume claims, nor has it them
// deleted with the stateful set that has made them.
func (c *cluster) DeleteWithPropagationPolicy(
	resources kube.ResourceList, policy metav1.DeletionPropagation,
) (*kube.Result, []error) {
	var doomed kube.ResourceList
	for _, info := range resources {
		spared, err := c.spared(info)
		if err != nil {
			return nil, []error{c.note(err)}
		}
		if !spared {
			doomed.Append(info)
		}
	}
	if len(doomed) == 0 {
		return &kube.Result{}, nil
	}
	if err := c.retainOf(doomed); err != nil {
		return nil, []error{err}
	}
	result, errs := c.Client.DeleteWithPropagationPolicy(doomed, policy)
	if len(errs) > 0 {
		_ = c.note(errors.Join(errs...)) // it is the caller's to return
	}
	return result, errs
}

func isClaim(info *resource.Info) bool {
	return info.Mapping.GroupVersionKind.GroupKind() == corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim").GroupKind()
}

// Wait waits for CRDs to be established, the only thing that Helm is let wait
// for here.
func (c *cluster) Wait(resources kube.ResourceList, timeout time.Duration) error {
	return c.poll(resources, timeout, "be established", func(info *resource.Info) (bool, error) {
		if info.Mapping.GroupVersionKind.Kind != "CustomResourceDefinition" {
			return true, nil
		}
		if err := info.Get(); err != nil {
			return false, err
		}
		status, _, err := condition(info, "Established")
		return status == metav1.ConditionTrue, err
	})
}

// WaitForDelete waits until the objects are gone.
func (c *cluster) WaitForDelete(resources kube.ResourceList, timeout time.Duration) error {
	err := c.poll(resources, timeout, "be gone", func(info *resource.Info) (bool, error) {
		if spared, err := c.spared(info); spared || err != nil {
			return spared, err
		}
		err := info.Get()
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
	if err == nil && c.forgiving && (len(resources) == 0 || !isHook(resources[0])) {
		fault.Point(fault.HelmObjectsDeleted, c.records.subject())
	}
	return err
}

// WatchUntilReady waits for hooks: jobs and pods until they have ended, anything
// else not at all.
func (c *cluster) WatchUntilReady(resources kube.ResourceList, timeout time.Duration) error {
	err := c.poll(resources, timeout, "complete", func(info *resource.Info) (bool, error) {
		if c.hooks.finished[hookKey(info)] {
			return true, nil
		}
		switch info.Mapping.GroupVersionKind.Kind {
		case "Job":
			return jobEnded(info)
		case "Pod":
			return podEnded(info)
		}
		return true, nil
	})
	if err == nil {
		err = c.recordHooks(resources)
	}
	if err == nil {
		fault.Point(fault.HelmHookEnded, c.records.subject())
	}
	return err
}

// poll asks for each object until done says so. It asks often at first, since
// most things that Helm waits for are quick.
func (c *cluster) poll(
	resources kube.ResourceList, timeout time.Duration, what string, done func(*resource.Info) (bool, error),
) error {
	ctx, cancel := context.WithTimeout(c.ctx, timeout)
	defer cancel()
	for _, info := range resources {
		pause := wait.Backoff{Duration: 50 * time.Millisecond, Factor: 1.5, Cap: time.Second, Steps: 100}
		for {
			ok, err := done(info)
			if err != nil && !passing(err) {
				return c.note(err)
			}
			if ok {
				break
			}
			select {
			case <-ctx.Done():
				return c.note(c.tooLate(info, timeout, what))
			case <-time.After(pause.Step()):
			}
		}
	}
	return nil
}

func (c *cluster) tooLate(info *resource.Info, timeout time.Duration, what string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%s %q did not %s within %s", info.Mapping.GroupVersionKind.Kind, info.Name, what, timeout)
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
	if err != nil {
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

// condition reads a condition of a live object.
func condition(info *resource.Info, name string) (metav1.ConditionStatus, string, error) {
	object, err := content(info)
	if err != nil {
		return "", "", err
	}
	found, _, err := unstructured.NestedFieldNoCopy(object, "status", "conditions")
	if err != nil {
		return "", "", fmt.Errorf("read conditions of %s: %w", info.Name, err)
	}
	conditions, _ := found.([]any) // a new CRD has null
	for _, item := range conditions {
		one, _ := item.(map[string]any)
		if one["type"] == name {
			status, _ := one["status"].(string)
			reason, _ := one["reason"].(string)
			message, _ := one["message"].(string)
			return metav1.ConditionStatus(status), reason + ": " + message, nil
		}
	}
	return "", "", nil
}

func content(info *resource.Info) (map[string]any, error) {
	object, ok := info.Object.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("read %s: it is a %T", info.Name, info.Object)
	}
	return object.Object, nil
}

// GetPodList finds no pods: logs of hooks are not read.
func (c *cluster) GetPodList(string, metav1.ListOptions) (*corev1.PodList, error) {
	return &corev1.PodList{}, nil
}

// OutputContainerLogsForPodList writes nothing.
func (c *cluster) OutputContainerLogsForPodList(*corev1.PodList, string, func(_, _, _ string) io.Writer) error {
	return nil
}
