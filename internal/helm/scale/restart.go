package scale

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// templateAnnotations is the path of the annotations of a Pod template.
var templateAnnotations = []string{"spec", "template", "metadata", "annotations"}

// Restart sets the annotation kubectl.kubernetes.io/restartedAt of the Pod templates of Deployments,
// StatefulSets and DaemonSets to a time, as kubectl rollout restart does, so that their controllers
// replace the Pods. If the time is nil, it removes the annotation. It does not change a workload that
// has the same time, so that a repeated Restart completes an interrupted one. Restart does not wait
// for Pods.
//
// A Deployment that is paused cannot be restarted. If a workload cannot be restarted, Restart
// continues with the others.
func (w Workloads) Restart(ctx context.Context, at *metav1.Time) error {
	return w.changeWorkloads(ctx, "restart", func(ref v1alpha1.ObjectReference, _ scaleField, live *unstructured.Unstructured) ([]byte, error) {
		if !release.IsRestartable(ref) {
			return nil, nil
		}
		return restartPatch(live, at)
	})
}

// restartPatch returns a JSON merge patch that sets the time of a restart, or nil if the workload has
// that time.
func restartPatch(live *unstructured.Unstructured, at *metav1.Time) ([]byte, error) {
	var want any
	if at != nil {
		want = at.UTC().Format(time.RFC3339)
	}
	have, _, err := unstructured.NestedMap(live.Object, templateAnnotations...)
	if err != nil || have[v1alpha1.RestartedAtAnnotation] == want {
		return nil, err
	}
	if paused, _, err := unstructured.NestedBool(live.Object, "spec", "paused"); paused || err != nil {
		return nil, errors.Join(err, errors.New("spec.paused is true: resume the rollout first"))
	}
	change := map[string]any{}
	if err := unstructured.SetNestedMap(change, map[string]any{v1alpha1.RestartedAtAnnotation: want}, templateAnnotations...); err != nil {
		return nil, err
	}
	return json.Marshal(change)
}
