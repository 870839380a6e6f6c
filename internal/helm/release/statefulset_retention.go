package release

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"helm.sh/helm/v3/pkg/kube"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/cluster"
)

const (
	setKind = "StatefulSet"
	retain  = "Retain"
	// releaseTime bounds the wait for the StatefulSet controller to remove itself as an owner of
	// claims. It does so only for claims whose pods exist.
	releaseTime = 3 * time.Second
)

// whenDeleted is the field that specifies what happens to the volume claims of a StatefulSet that
// is deleted. The cluster deletes them if the value is Delete.
var whenDeleted = []string{"spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"}

var (
	setResource   = appsv1.SchemeGroupVersion.WithResource("statefulsets")
	claimResource = corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")
)

// retainObjectsOf prepares objects that are about to be deleted so that their volume claims are kept.
func (c *kubeClient) retainObjectsOf(resources kube.ResourceList) error {
	if len(resources) == 0 {
		return nil
	}
	for _, info := range resources {
		if err := c.retainClaims(infoRef(info)); err != nil {
			return err
		}
	}
	// Built-in kinds of hooks own claims at most through their pods.
	if isHook(resources[0]) && !slices.ContainsFunc(resources, func(info *resource.Info) bool {
		return isContainer(infoRef(info)) || isCustom(infoRef(info))
	}) {
		return nil
	}
	return c.retainInfos(resources)
}

// retainClaims changes a StatefulSet that is about to be deleted so that its volume claims are
// kept. This is necessary for a release that was adopted, or that was created before claimPolicyRenderer
// existed. It does nothing for other objects.
func (c *kubeClient) retainClaims(ref v1alpha1.ObjectReference) error {
	if key := cluster.IdentityOf(ref); key.Group != appsv1.GroupName || key.Kind != setKind {
		return nil
	}
	client, err := c.Factory.DynamicClient()
	if err == nil {
		err = keepClaimsOf(c.ctx, client, ref)
	}
	if err != nil {
		return c.storeFailure(fmt.Errorf("keep volume claims of %s: %w", ref, err))
	}
	return nil
}

func keepClaimsOf(ctx context.Context, client dynamic.Interface, ref v1alpha1.ObjectReference) error {
	sets := client.Resource(setResource).Namespace(ref.Namespace)
	set, err := sets.Get(ctx, ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	policy, _, err := unstructured.NestedString(set.Object, whenDeleted...)
	if err != nil || policy != string(appsv1.DeletePersistentVolumeClaimRetentionPolicyType) ||
		set.GetAnnotations()[kube.ResourcePolicyAnno] == kube.KeepPolicy {
		return err
	}
	patch := []byte(`{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenDeleted":"` + retain + `"}}}`)
	set, err = sets.Patch(ctx, ref.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: kube.ManagedFieldsManager})
	if err != nil {
		return err
	}
	return releaseClaims(ctx, sets, client.Resource(claimResource).Namespace(ref.Namespace), set)
}

// releaseClaims waits until the StatefulSet controller has observed the change of a StatefulSet and
// has removed itself as an owner of the claims. It then removes the remaining owner references: the
// controller does not change the claims of a StatefulSet that is scaled down, and the garbage
// collector would delete them.
func releaseClaims(ctx context.Context, sets, claims dynamic.ResourceInterface, changed *unstructured.Unstructured) error {
	owner := changed.GetUID()
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, releaseTime, true,
		func(ctx context.Context) (bool, error) {
			if noticed, err := isNoticed(ctx, sets, changed); err != nil || !noticed {
				return false, err
			}
			owned, err := ownedClaims(ctx, claims, owner)
			return len(owned) == 0, err
		})
	if err == nil || !wait.Interrupted(err) || ctx.Err() != nil {
		return err
	}
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		owned, err := ownedClaims(ctx, claims, owner)
		if err != nil {
			return err
		}
		for _, claim := range owned {
			if err := removeClaimOwners(ctx, claims, &claim, owner); err != nil {
				return err
			}
		}
		return nil
	})
}

// isNoticed reports whether the controller has observed a change of a StatefulSet.
func isNoticed(ctx context.Context, sets dynamic.ResourceInterface, changed *unstructured.Unstructured) (bool, error) {
	set, err := sets.Get(ctx, changed.GetName(), metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	seen, _, err := unstructured.NestedInt64(set.Object, "status", "observedGeneration")
	return seen >= changed.GetGeneration(), err
}

func ownedClaims(ctx context.Context, claims dynamic.ResourceInterface, owner types.UID) ([]unstructured.Unstructured, error) {
	all, err := claims.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var owned []unstructured.Unstructured
	for _, claim := range all.Items {
		if slices.ContainsFunc(claim.GetOwnerReferences(), isOwner(owner)) {
			owned = append(owned, claim)
		}
	}
	return owned, nil
}

// removeClaimOwners removes owners from a claim, unless the claim has changed since it was read.
func removeClaimOwners(
	ctx context.Context, claims dynamic.ResourceInterface, claim *unstructured.Unstructured, owners ...types.UID,
) error {
	others := slices.DeleteFunc(claim.GetOwnerReferences(), func(one metav1.OwnerReference) bool { return slices.Contains(owners, one.UID) })
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"ownerReferences": others, "resourceVersion": claim.GetResourceVersion()},
	})
	if err != nil {
		return fmt.Errorf("make patch: %w", err)
	}
	_, err = claims.Patch(ctx, claim.GetName(), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: kube.ManagedFieldsManager})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func isOwner(uid types.UID) func(metav1.OwnerReference) bool {
	return func(one metav1.OwnerReference) bool { return one.UID == uid }
}
