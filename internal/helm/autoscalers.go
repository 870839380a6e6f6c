package helm

import (
	"fmt"
	"sync"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// autoscalers caches the HorizontalPodAutoscalers of namespaces. It lists the autoscalers of a
// namespace when the first of them is requested.
type autoscalers struct {
	*operation
	mu    sync.Mutex
	known map[string][]autoscalingv2.HorizontalPodAutoscalerSpec
}

// autoscalerFor returns the autoscaler that targets an object, or nil if there is none.
func (a *autoscalers) autoscalerFor(ref ObjectRef) (*autoscalingv2.HorizontalPodAutoscalerSpec, error) {
	some, err := a.autoscalersIn(ref.Namespace)
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

func (a *autoscalers) autoscalersIn(namespace string) ([]autoscalingv2.HorizontalPodAutoscalerSpec, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if some, ok := a.known[namespace]; ok {
		return some, nil
	}
	objects, err := a.resourceClient(ObjectRef{
		APIVersion: autoscalingv2.SchemeGroupVersion.String(), Kind: "HorizontalPodAutoscaler", Namespace: namespace,
	})
	if err != nil {
		return nil, err
	}
	all, err := objects.List(a.ctx, metav1.ListOptions{})
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
func (a *autoscalers) limitReplicas(ref ObjectRef, replicas int64) (int64, error) {
	by, err := a.autoscalerFor(ref)
	if err != nil || by == nil {
		return replicas, err
	}
	least := int64(1)
	if by.MinReplicas != nil {
		least = int64(*by.MinReplicas)
	}
	return min(max(replicas, least), int64(by.MaxReplicas)), nil
}
