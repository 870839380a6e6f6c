package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"

	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/helm/cluster"
	"github.com/appmarket/operator/internal/helm/drift"
)

// maxRequests bounds the number of objects that are written concurrently.
const maxRequests = 16

// Update creates, changes and deletes objects so that the cluster contains the objects of target as
// in the manifest. It replaces the update of Helm, whose patches lose list elements that share a
// key, keys of stringData, and changes to custom kinds; see merge. An unchanged object costs one
// read request.
//
// If an object cannot be created or changed, Update continues with the others, but deletes nothing.
//
// Update keeps volume claims that target does not contain, because the claims of an adopted release
// are not marked to be kept. It also keeps objects that claims depend on, and objects that another
// release has taken over.
func (c *kubeClient) Update(original, target kube.ResourceList, _ bool) (result *kube.Result, err error) {
	defer c.recoverPanic(&err)
	result = &kube.Result{}
	removed, err := c.withoutForeign(original.Difference(target))
	if err != nil {
		return result, err
	}
	if err := c.retainObjectsOf(removed); err != nil {
		return result, err
	}
	removed = removed.Filter(func(info *resource.Info) bool { return !isClaimInfo(info) && !c.isRetained(info) })
	client, err := c.Factory.DynamicClient()
	if err != nil {
		return result, c.storeFailure(fmt.Errorf("make client: %w", err))
	}
	update := &update{cluster: c, client: client, earlier: c.earlierObjectsOf(original)}
	if err := c.forEachObject(target, func(info *resource.Info) error { return update.applyObject(info, result) }); err != nil {
		return result, c.storeFailure(err)
	}
	if err := c.forEachObject(removed, func(info *resource.Info) error { return update.removeObject(info, result) }); err != nil {
		return result, c.storeFailure(err)
	}
	c.changed = true
	failpoint.Point(failpoint.HelmObjectsApplied, c.records.FailpointSubject())
	return result, nil
}

// withoutForeign returns the objects without objects whose annotations name another release, and
// stores that those must not be deleted. An object that the tenant may not read counts as an object
// of this release.
func (c *kubeClient) withoutForeign(resources kube.ResourceList) (kube.ResourceList, error) {
	isForeign := make([]bool, len(resources))
	places := make(map[*resource.Info]int, len(resources))
	for i, info := range resources {
		places[info] = i
	}
	err := c.forEachObject(resources, func(info *resource.Info) error {
		live, err := c.operation.GetObject(c.ctx, infoRef(info))
		if apierrors.IsForbidden(err) {
			return nil
		}
		isForeign[places[info]] = live != nil && cluster.IsOwnedByOther(live, c.operation.release)
		return withObjectName(info, err)
	})
	if err != nil {
		return nil, c.storeFailure(err)
	}
	var own kube.ResourceList
	for i, info := range resources {
		if isForeign[i] {
			c.keepObjects(map[cluster.Identity]bool{cluster.IdentityOf(infoRef(info)): true})
			continue
		}
		own.Append(info)
	}
	return own, nil
}

// earlierObjectsOf returns the objects of the manifests whose objects may exist in the cluster: the
// manifest that Helm compares with, and the manifests of incomplete revisions, which Helm ignores.
func (c *kubeClient) earlierObjectsOf(original kube.ResourceList) map[cluster.Identity][]map[string]any {
	earlier := maps.Clone(c.incomplete)
	if earlier == nil {
		earlier = map[cluster.Identity][]map[string]any{}
	}
	for _, info := range original {
		if object, ok := info.Object.(*unstructured.Unstructured); ok {
			key := cluster.IdentityOf(infoRef(info))
			earlier[key] = append(slices.Clip(earlier[key]), object.Object)
		}
	}
	return earlier
}

// update is the state of one call of Update.
type update struct {
	cluster *kubeClient
	client  dynamic.Interface
	// earlier contains the objects of the manifests whose objects may exist in the cluster.
	earlier map[cluster.Identity][]map[string]any

	mu sync.Mutex
}

// applyObject changes an object to the state in its manifest, and adds it to the result after the last
// write.
func (u *update) applyObject(info *resource.Info, result *kube.Result) error {
	wanted, ok := info.Object.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("update %s: unexpected type %T", infoRef(info), info.Object)
	}
	objects := objectsOf(u.client, info)
	var noted *kube.ResourceList
	err := retry.RetryOnConflict(drift.Conflicts, func() error {
		live, err := objects.Get(u.cluster.ctx, info.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			noted = &result.Created
			return u.cluster.createObject(info)
		}
		if err != nil {
			return withObjectName(info, err)
		}
		change, err := drift.NewPatch(wanted, live, u.earlier[cluster.IdentityOf(infoRef(info))]...)
		if err == nil && !change.IsEmpty() {
			_, err = change.Send(u.cluster.ctx, objects)
		}
		noted = &result.Updated
		return withObjectName(info, err)
	})
	if noted != nil {
		u.addResult(noted, info)
	}
	return err
}

// removeObject deletes an object that target does not contain, unless it is marked to be kept.
func (u *update) removeObject(info *resource.Info, result *kube.Result) error {
	objects := objectsOf(u.client, info)
	live, err := objects.Get(u.cluster.ctx, info.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return withObjectName(info, err)
	}
	if live.GetAnnotations()[kube.ResourcePolicyAnno] == kube.KeepPolicy {
		return nil
	}
	u.addResult(&result.Deleted, info)
	return withObjectName(info, deleteObject(u.cluster.ctx, objects, info.Name))
}

func (u *update) addResult(list *kube.ResourceList, info *resource.Info) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !list.Contains(info) {
		list.Append(info)
	}
}

func (c *kubeClient) createObject(info *resource.Info) error {
	helper := resource.NewHelper(info.Client, info.Mapping).WithFieldManager(kube.ManagedFieldsManager)
	object, err := helper.Create(info.Namespace, true, info.Object)
	if err != nil {
		return withObjectName(info, err)
	}
	return info.Refresh(object, true)
}

// forEachObject calls do for every object. It processes objects of one kind concurrently, and one kind after
// the other. It returns a panic as an error of the object.
func (c *kubeClient) forEachObject(resources kube.ResourceList, do func(*resource.Info) error) error {
	failed := make([]error, len(resources))
	turns := make(chan struct{}, maxRequests)
	var kind sync.WaitGroup
	for i, info := range resources {
		if i > 0 && info.Mapping.GroupVersionKind.Kind != resources[i-1].Mapping.GroupVersionKind.Kind {
			kind.Wait()
		}
		turns <- struct{}{}
		kind.Go(func() {
			defer func() { <-turns }()
			defer c.recoverPanic(&failed[i])
			failed[i] = do(info)
		})
	}
	kind.Wait()
	return joinErrors(failed)
}

// joinErrors combines errors into one whose text is a single line, or returns nil if there are none.
func joinErrors(all []error) error {
	var failed failures
	for _, err := range all {
		if err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return failed
}

// failures are the errors of several objects.
type failures []error

// Error returns the texts, separated by semicolons.
func (f failures) Error() string {
	texts := make([]string, 0, len(f))
	for _, err := range f {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the errors.
func (f failures) Unwrap() []error { return f }

// withObjectName adds the object to an error that does not name it.
func withObjectName(info *resource.Info, err error) error {
	if err == nil || strings.Contains(err.Error(), info.Name) && strings.Contains(
		strings.ToLower(err.Error()), strings.ToLower(info.Mapping.GroupVersionKind.Kind)) {
		return err
	}
	return fmt.Errorf("%s: %w", infoRef(info), err)
}

// objectsOf returns a client for the objects of a kind.
func objectsOf(client dynamic.Interface, info *resource.Info) dynamic.ResourceInterface {
	objects := client.Resource(info.Mapping.Resource)
	if info.Mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return objects
	}
	return objects.Namespace(info.Namespace)
}
