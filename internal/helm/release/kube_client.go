package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/kube"
	helmstorage "helm.sh/helm/v3/pkg/storage"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/helm/cluster"
	"github.com/appmarket/operator/internal/helm/storage"
	"github.com/appmarket/operator/internal/outcome"
)

// kubeClient is the client that Helm uses, with three differences: it does not wait longer than its
// operation, it never deletes a volume claim, and it does not run a hook again that the same run
// has completed before it was interrupted.
type kubeClient struct {
	*kube.Client
	ctx     context.Context
	records *storage.Driver
	store   *helmstorage.Storage
	hooks   hooks
	// ignoresMissingKinds ignores objects of kinds that the cluster does not serve anymore when a release is
	// uninstalled. They were deleted with their kinds.
	ignoresMissingKinds bool
	// retained contains the objects that are known not to be deletable, because claims depend on
	// them or because they belong to another release.
	retained map[cluster.Identity]bool
	// present contains the manifests of recorded revisions. When such a manifest is compared with
	// another one, objects of kinds that the cluster does not serve anymore are ignored.
	present map[string]bool
	// incomplete contains the objects of revisions that Helm does not compare with, and that may
	// exist in the cluster.
	incomplete map[cluster.Identity][]map[string]any
	mapper     meta.RESTMapper
	// operation is the operation to which the client belongs.
	operation *operation
	// phase is the phase of the operation that determines its hooks, such as install. changed
	// reports that the operation has changed objects: subsequent hooks are post hooks.
	phase   string
	changed bool
	// failure is the last error, in full: Helm often keeps only its text, or drops it. A
	// stepFailure or a panic is not overwritten.
	failure error
	mu      sync.Mutex
}

// IsReachable does nothing, because requests report whether the cluster is reachable.
func (c *kubeClient) IsReachable() error { return nil }

// Build decodes the objects of a manifest.
func (c *kubeClient) Build(reader io.Reader, validate bool) (found kube.ResourceList, err error) {
	defer c.recoverPanic(&err)
	text, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	found, err = c.Client.Build(bytes.NewReader(text), validate)
	if err != nil && (c.ignoresMissingKinds || c.present[string(text)]) && hasOnlyMissingKinds(err) {
		found, err = c.buildServed(string(text), validate)
	}
	return found, c.storeFailure(err)
}

// Create creates objects, except hooks that this run has already created.
func (c *kubeClient) Create(resources kube.ResourceList) (_ *kube.Result, err error) {
	defer c.recoverPanic(&err)
	if !c.records.HasCreated { // CRDs of the folder crds are created before the revision
		if resources, err = c.withoutServedCRDs(resources); err != nil {
			return nil, c.storeFailure(err)
		}
	}
	var fresh kube.ResourceList
	for _, info := range resources {
		keep, err := c.resumeHook(info)
		if err != nil {
			return nil, c.storeFailure(err)
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
			failpoint.Point(failpoint.HelmHookCreated, c.records.FailpointSubject())
		}
		return result, c.storeFailure(err)
	}
	err = c.forEachObject(fresh, c.createObject)
	if slices.ContainsFunc(fresh, func(info *resource.Info) bool { return isCRD(infoRef(info)) }) {
		meta.MaybeResetRESTMapper(c.mapper)
	}
	if err == nil && c.records.HasCreated {
		c.changed = true
		failpoint.Point(failpoint.HelmObjectsApplied, c.records.FailpointSubject())
	}
	return &kube.Result{Created: fresh}, c.storeFailure(err)
}

// Delete deletes hooks.
func (c *kubeClient) Delete(resources kube.ResourceList) (*kube.Result, []error) {
	return c.DeleteWithPropagationPolicy(resources, metav1.DeletePropagationBackground)
}

// DeleteWithPropagationPolicy deletes objects. It neither deletes volume claims nor objects whose
// deletion would delete volume claims, unless the claims can be detached from them first. It also
// keeps objects that another release has taken over.
func (c *kubeClient) DeleteWithPropagationPolicy(
	resources kube.ResourceList, policy metav1.DeletionPropagation,
) (*kube.Result, []error) {
	if err := c.deleteAll(resources, policy); err != nil {
		return nil, []error{c.storeFailure(err)}
	}
	return &kube.Result{Deleted: resources}, nil
}

func (c *kubeClient) deleteAll(resources kube.ResourceList, policy metav1.DeletionPropagation) (err error) {
	defer c.recoverPanic(&err)
	var doomed kube.ResourceList
	for _, info := range resources {
		spared, err := c.isProtected(info)
		if err == nil && !spared && isHook(info) {
			spared, err = c.isGoneHook(info)
		}
		if err != nil {
			return err
		}
		if !spared {
			doomed.Append(info)
		}
	}
	if len(doomed) > 0 && !isHook(doomed[0]) {
		if doomed, err = c.withoutForeign(doomed); err != nil {
			return err
		}
	}
	if err := c.retainObjectsOf(doomed); err != nil {
		return err
	}
	doomed = doomed.Filter(func(info *resource.Info) bool { return !c.isRetained(info) })
	if len(doomed) == 0 {
		return nil
	}
	err = c.forEachObject(doomed, func(info *resource.Info) error {
		_, err := resource.NewHelper(info.Client, info.Mapping).DeleteWithOptions(
			info.Namespace, info.Name, &metav1.DeleteOptions{PropagationPolicy: &policy})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return withObjectName(info, err)
	})
	if !isHook(doomed[0]) {
		c.changed = true
	}
	return err
}

func isClaimInfo(info *resource.Info) bool {
	return info.Mapping.GroupVersionKind.GroupKind() == corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim").GroupKind()
}

// isTransient reports whether a failed read may succeed when it is repeated.
func isTransient(err error) bool {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return !errors.Is(err, context.Canceled)
	}
	return apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err)
}

// storeFailure stores an error for the classification of the operation, and returns it.
func (c *kubeClient) storeFailure(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, explained := errors.AsType[*stepFailure](c.failure)
	_, panicked := errors.AsType[*outcome.Panic](c.failure)
	if err != nil && !explained && !panicked {
		c.failure = err
	}
	return err
}

// hasOnlyMissingKinds reports whether an error of Build consists only of kinds that the cluster does
// not serve.
func hasOnlyMissingKinds(err error) bool {
	var many interface{ Errors() []error }
	if errors.As(err, &many) {
		for _, one := range many.Errors() {
			if !hasOnlyMissingKinds(one) {
				return false
			}
		}
		return true
	}
	return meta.IsNoMatchError(err) || missingKind.MatchString(err.Error())
}

// findCondition returns the status of a condition of an object, and its reason and message.
func findCondition(live *unstructured.Unstructured, name string) (metav1.ConditionStatus, string, error) {
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

// GetPodList returns no pods, because logs of hooks are not read.
func (c *kubeClient) GetPodList(string, metav1.ListOptions) (*corev1.PodList, error) {
	return &corev1.PodList{}, nil
}

// OutputContainerLogsForPodList writes nothing.
func (c *kubeClient) OutputContainerLogsForPodList(*corev1.PodList, string, func(_, _, _ string) io.Writer) error {
	return nil
}
