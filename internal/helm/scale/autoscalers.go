package scale

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/cluster"
	"github.com/appmarket/operator/internal/release"
)

// Autoscalers caches the HorizontalPodAutoscalers of namespaces. It lists the autoscalers of a
// namespace when the first of them is requested.
type Autoscalers struct {
	// Client acts as the tenant.
	Client *cluster.Client

	mu    sync.Mutex
	known map[string][]autoscalingv2.HorizontalPodAutoscalerSpec
}

// autoscalerFor returns the autoscaler that targets an object, or nil if there is none.
func (a *Autoscalers) autoscalerFor(ctx context.Context, ref v1alpha1.ObjectReference) (*autoscalingv2.HorizontalPodAutoscalerSpec, error) {
	some, err := a.autoscalersIn(ctx, ref.Namespace)
	if err != nil {
		return nil, fmt.Errorf("list autoscalers: %w", err)
	}
	group := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).Group
	for _, one := range some {
		target := one.ScaleTargetRef
		if target.Kind == ref.Kind && target.Name == ref.Name &&
			schema.FromAPIVersionAndKind(target.APIVersion, target.Kind).Group == group {
			return &one, nil
		}
	}
	return nil, nil
}

func (a *Autoscalers) autoscalersIn(ctx context.Context, namespace string) ([]autoscalingv2.HorizontalPodAutoscalerSpec, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if some, ok := a.known[namespace]; ok {
		return some, nil
	}
	objects, err := a.Client.ResourceClient(v1alpha1.ObjectReference{
		APIVersion: autoscalingv2.SchemeGroupVersion.String(), Kind: "HorizontalPodAutoscaler", Namespace: namespace,
	})
	if err != nil {
		return nil, err
	}
	all, err := objects.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	some := make([]autoscalingv2.HorizontalPodAutoscalerSpec, 0, len(all.Items))
	for _, item := range all.Items {
		var one autoscalingv2.HorizontalPodAutoscaler
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, &one); err != nil {
			return nil, err
		}
		some = append(some, one.Spec)
	}
	if a.known == nil {
		a.known = map[string][]autoscalingv2.HorizontalPodAutoscalerSpec{}
	}
	a.known[namespace] = some
	return some, nil
}

// limitReplicas limits the replicas of a workload to the bounds of its autoscaler.
func (a *Autoscalers) limitReplicas(ctx context.Context, ref v1alpha1.ObjectReference, replicas int64) (int64, error) {
	by, err := a.autoscalerFor(ctx, ref)
	if err != nil || by == nil {
		return replicas, err
	}
	least := int64(1)
	if by.MinReplicas != nil {
		least = int64(*by.MinReplicas)
	}
	return min(max(replicas, least), int64(by.MaxReplicas)), nil
}

// WithoutScaledFields returns an object of a manifest without the fields that other clients set: the
// replicas of a workload with an autoscaler, the fields by which a workload is stopped, and the time
// of its restart.
func (a *Autoscalers) WithoutScaledFields(
	ctx context.Context, ref v1alpha1.ObjectReference, object, live *unstructured.Unstructured,
) (*unstructured.Unstructured, error) {
	wanted := object.DeepCopy()
	if release.IsRestartable(ref) {
		unstructured.RemoveNestedField(wanted.Object, append(slices.Clone(templateAnnotations), v1alpha1.RestartedAtAnnotation)...)
	}
	if by, ok := scaleFieldFor(ref); ok && isStopped(live) {
		off, err := by.isOff(live)
		if err != nil {
			return nil, err
		}
		if off {
			for _, one := range by.allFields() {
				unstructured.RemoveNestedField(wanted.Object, one.path...)
			}
		}
	}
	count, set, err := unstructured.NestedFieldNoCopy(wanted.Object, fieldReplicas.path...)
	if err != nil || !set {
		return wanted, err
	}
	now, _, err := unstructured.NestedFieldNoCopy(live.Object, fieldReplicas.path...)
	// A custom kind may have a map in this field, which == cannot compare.
	if err != nil || reflect.DeepEqual(now, count) {
		return wanted, err
	}
	scaler, err := a.autoscalerFor(ctx, ref)
	if err == nil && scaler != nil {
		unstructured.RemoveNestedField(wanted.Object, fieldReplicas.path...)
	}
	return wanted, err
}
