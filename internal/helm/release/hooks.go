package release

import (
	"errors"
	"fmt"
	"slices"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	helmtime "helm.sh/helm/v3/pkg/time"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/cluster"
)

// Phases of an operation, as in the names of hook events.
const (
	phaseInstall  = "install"
	phaseUpgrade  = "upgrade"
	phaseRollback = "rollback"
	phaseDelete   = "delete"
)

func hookKey(info *resource.Info) string {
	return info.Mapping.GroupVersionKind.Kind + "/" + info.Name
}

var access = meta.NewAccessor()

func isJob(info *resource.Info) bool {
	return info.Mapping.GroupVersionKind.GroupKind() == jobKind.GroupKind()
}

func isHook(info *resource.Info) bool {
	annotations, err := access.Annotations(info.Object)
	return err == nil && annotations[release.HookAnnotation] != ""
}

// resumeHook reports whether an object must not be created: a hook that this run has completed or
// created, or an existing hook that outlives releases. It marks a hook that must be created with
// the run and the release.
func (c *kubeClient) resumeHook(info *resource.Info) (bool, error) {
	if !isHook(info) {
		return false, nil
	}
	if c.hooks.finished[hookKey(info)] {
		return true, nil
	}
	if c.hooks.resumed || isLasting(info) {
		ours, err := c.hasLiveHook(info)
		if err != nil || ours {
			return ours, err
		}
	}
	annotations, err := access.Annotations(info.Object)
	if err != nil {
		return false, fmt.Errorf("read annotations of hook %q: %w", info.Name, err)
	}
	annotations[runKey] = c.hooks.run
	owner := c.operation.release
	annotations[cluster.ReleaseNameAnnotation], annotations[cluster.ReleaseNamespaceAnnotation] = owner.Name, owner.Namespace
	return false, access.SetAnnotations(info.Object, annotations)
}

// isLasting reports whether an object must outlive its release: a volume claim, or a Namespace or a
// CRD, whose deletion would delete other objects.
func isLasting(info *resource.Info) bool {
	return isClaimInfo(info) || isContainer(infoRef(info))
}

// hasLiveHook reports whether the hook exists and was created by this run. A hook that outlives
// releases may have been created by any client.
func (c *kubeClient) hasLiveHook(info *resource.Info) (bool, error) {
	live, err := c.operation.GetObject(c.ctx, infoRef(info))
	if err != nil || live == nil {
		return false, err
	}
	return isLasting(info) || c.hooks.resumed && live.GetAnnotations()[runKey] == c.hooks.run, nil
}

// createHooks creates hooks. It replaces hooks that an earlier run of the release has left behind,
// and does not change objects of other releases.
func (c *kubeClient) createHooks(hooks kube.ResourceList) (*kube.Result, error) {
	for _, info := range hooks {
		if err := c.refuseMissingAccount(info); err != nil {
			return nil, err
		}
	}
	created := &kube.Result{Created: hooks}
	err := c.forEachObject(hooks, c.createObject)
	if !apierrors.IsAlreadyExists(err) {
		return created, err
	}
	left := hooks.Filter(func(info *resource.Info) bool { return info.ResourceVersion == "" })
	for _, info := range left {
		if err := c.refuseForeignHook(info); err != nil {
			return nil, err
		}
	}
	if _, errs := c.Delete(left); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if err := c.WaitForDelete(left, DefaultTimeout); err != nil {
		return nil, err
	}
	return created, c.forEachObject(left, c.createObject)
}

// refuseForeignHook returns an error if a hook exists that no earlier run of the release has created.
func (c *kubeClient) refuseForeignHook(info *resource.Info) error {
	live, err := c.operation.GetObject(c.ctx, infoRef(info))
	if err != nil || live == nil || isLeftover(live, c.operation.release) {
		return err
	}
	marks := live.GetAnnotations()
	text := alreadyExistsMessage(c.describeObject(info), marks[cluster.ReleaseNameAnnotation], "")
	return &stepFailure{text: text}
}

// isGoneHook reports whether a hook that should be deleted does not exist. It returns an error if
// the hook belongs to another release.
func (c *kubeClient) isGoneHook(info *resource.Info) (bool, error) {
	if c.hooks.passed[hookKey(info)] {
		return false, nil
	}
	live, err := c.operation.GetObject(c.ctx, infoRef(info))
	switch {
	case apierrors.IsForbidden(err):
		return false, nil
	case err != nil || live == nil:
		return err == nil, err
	case cluster.IsOwnedByOther(live, c.operation.release):
		return false, c.refuseForeignHook(info)
	}
	return false, nil
}

// isLeftover reports whether an object is a hook that a run of the release has created.
func isLeftover(live *unstructured.Unstructured, of *release.Release) bool {
	return cluster.IsOwnedBy(of, live) && live.GetAnnotations()[runKey] != ""
}

// refuseMissingAccount returns an error if a Job or a Pod needs a service account that the release
// creates only after this hook.
func (c *kubeClient) refuseMissingAccount(info *resource.Info) error {
	current := c.records.Current
	if current == nil || c.changed || c.phase == phaseDelete || !isRunToCompletion(info) {
		return nil
	}
	object, ok := info.Object.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	path := []string{"spec", "serviceAccountName"}
	if isJob(info) {
		path = []string{"spec", "template", "spec", "serviceAccountName"}
	}
	name, _, err := unstructured.NestedString(object.Object, path...)
	if err != nil || name == "" {
		return nil // the API server reports what is wrong
	}
	account := accountRef(info.Namespace, name)
	made, err := c.operation.ObjectRefs(current)
	if err != nil || !slices.Contains(made, account) {
		return err
	}
	live, err := c.operation.GetObject(c.ctx, account)
	if err != nil || live != nil {
		return nil // the hook itself finds out what the tenant may not see
	}
	return &stepFailure{text: fmt.Sprintf("%s needs service account %q, which the chart creates only after this hook; "+
		"create the service account first, or have the chart create it as a hook with a lower weight", c.describeObject(info), name)}
}

// isProtected reports whether an object must not be deleted: a volume claim, an object that is retained,
// a hook that this run has completed, or a hook that this run has created and not waited for yet.
// After the wait, Helm deletes the hook if its deletion policy requires it.
func (c *kubeClient) isProtected(info *resource.Info) (bool, error) {
	if isClaimInfo(info) || c.retained[cluster.IdentityOf(infoRef(info))] {
		return true, nil
	}
	if !isHook(info) || !c.hooks.resumed || c.hooks.passed[hookKey(info)] {
		return false, nil
	}
	if c.hooks.finished[hookKey(info)] {
		return true, nil
	}
	return c.hasLiveHook(info)
}

// recordHooks stores immediately that hooks have succeeded. Helm stores this only with the next
// hook or at the end, when it may already have deleted the hooks.
func (c *kubeClient) recordHooks(resources kube.ResourceList) error {
	current := c.records.Current
	if c.hooks.passed == nil {
		c.hooks.passed = map[string]bool{}
	}
	found := false
	for _, info := range resources {
		key := hookKey(info)
		c.hooks.passed[key] = true
		delete(c.hooks.finished, key)
		if current == nil {
			continue
		}
		for _, hook := range current.Hooks {
			if hook.Kind+"/"+hook.Name == key {
				hook.LastRun.Phase, hook.LastRun.CompletedAt = release.HookPhaseSucceeded, helmtime.Now()
				found = true
			}
		}
	}
	if !found {
		return nil
	}
	if err := c.store.Update(current); err != nil {
		return c.storeFailure(fmt.Errorf("record hooks of release %q: %w", current.Name, err))
	}
	return nil
}

// hasEnded reports whether a Job or a Pod has succeeded, or was deleted, since its result is then
// unknown. It returns an error if it has failed.
func (c *kubeClient) hasEnded(info *resource.Info, live *unstructured.Unstructured) (bool, error) {
	if live == nil {
		return true, nil
	}
	if isJob(info) {
		if status, _, err := findCondition(live, "Complete"); err != nil || status == metav1.ConditionTrue {
			return err == nil, err
		}
		status, why, err := findCondition(live, "Failed")
		if err == nil && status == metav1.ConditionTrue {
			err = c.hookFailedError(info, why)
		}
		return false, err
	}
	phase, _, err := unstructured.NestedString(live.Object, "status", "phase")
	if err == nil && phase == string(corev1.PodFailed) {
		err = c.hookFailedError(info, "")
	}
	return err == nil && phase == string(corev1.PodSucceeded), err
}

// hookFailedError returns the error for a hook that has failed.
func (c *kubeClient) hookFailedError(info *resource.Info, why string) error {
	text := c.describeObject(info) + " failed"
	for _, reason := range []string{why, c.operation.podsReason(c.ctx, infoRef(info))} {
		if reason != "" {
			text += ": " + reason
		}
	}
	return &stepFailure{text: text + c.hookRemedyText(info)}
}

// hookRemedyText returns the remedy for a hook that has failed or timed out.
func (c *kubeClient) hookRemedyText(info *resource.Info) string {
	if c.phase != phaseDelete || !isHook(info) {
		return ""
	}
	return fmt.Sprintf("; correct the cause and remove the app again, or set the annotation %s=true on the AppInstance "+
		"and remove the app again without its delete hooks", v1alpha1.SkipDeleteHooksAnnotation)
}
