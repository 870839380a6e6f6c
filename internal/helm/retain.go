package helm

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
)

const (
	setKind = "StatefulSet"
	retain  = "Retain"
	// releaseTime is how long the controller of stateful sets is given to let go of
	// claims; it does so only of those whose pods are there.
	releaseTime = 3 * time.Second
)

// whenDeleted says what becomes of the volume claims of a stateful set that is
// deleted. The cluster deletes them if it says Delete.
var whenDeleted = []string{"spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"}

var (
	setResource   = appsv1.SchemeGroupVersion.WithResource("statefulsets")
	claimResource = corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")
)

// retainOf has objects that are about to be deleted leave volume claims behind.
func (c *cluster) retainOf(resources kube.ResourceList) error {
	if len(resources) == 0 {
		return nil
	}
	for _, info := range resources {
		if err := c.retainClaims(infoRef(info)); err != nil {
			return err
		}
	}
	// Hooks of kinds that Kubernetes has own claims by their pods at most.
	if isHook(resources[0]) && !slices.ContainsFunc(resources, func(info *resource.Info) bool {
		return isContainer(infoRef(info)) || isCustom(infoRef(info))
	}) {
		return nil
	}
	return c.retainInfos(resources)
}

// retainClaims has a stateful set that is about to be deleted leave its volume
// claims behind. One of a release that was adopted, or was made before claims were
// kept in this way, may say otherwise. Of anything else it does nothing.
func (c *cluster) retainClaims(ref ObjectRef) error {
	if key := identityOf(ref); key.group != appsv1.GroupName || key.kind != setKind {
		return nil
	}
	client, err := c.Factory.DynamicClient()
	if err == nil {
		err = keepClaimsOf(c.ctx, client, ref)
	}
	if err != nil {
		return c.note(fmt.Errorf("keep volume claims of %s: %w", ref, err))
	}
	return nil
}

func keepClaimsOf(ctx context.Context, client dynamic.Interface, ref ObjectRef) error {
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
	return freeClaims(ctx, sets, client.Resource(claimResource).Namespace(ref.Namespace), set)
}

// freeClaims waits until the controller of a stateful set that was changed has taken
// note of that and let go of the claims, and then frees those that it has not freed:
// of a set that is scaled down it leaves them as they are, and the garbage collector
// would take them.
func freeClaims(ctx context.Context, sets, claims dynamic.ResourceInterface, changed *unstructured.Unstructured) error {
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
			if err := freeClaim(ctx, claims, &claim, owner); err != nil {
				return err
			}
		}
		return nil
	})
}

// isNoticed reports whether the controller has seen a change of a stateful set.
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

// freeClaim takes owners from a claim, unless that has changed since it was read.
func freeClaim(
	ctx context.Context, claims dynamic.ResourceInterface, claim *unstructured.Unstructured, owners ...types.UID,
) error {
	others := slices.DeleteFunc(claim.GetOwnerReferences(), func(one metav1.OwnerReference) bool { return slices.Contains(owners, one.UID) })
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"ownerReferences": others}})
	if err != nil {
		return fmt.Errorf("make patch: %w", err)
	}
	if patch, err = locked(patch, claim); err != nil {
		return err
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
