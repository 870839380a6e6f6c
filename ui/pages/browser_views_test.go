package pages_test

import (
	"fmt"
	"net/url"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// addViewControls lets the tests of live views change states and add instances.
func (w browserWorld) addViewControls(t *testing.T, handle func(path string, act func(query url.Values) error)) {
	handle("/state", func(query url.Values) error { // The instance board is ready or not.
		instance := &v1alpha1.AppInstance{}
		if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: "board"}, instance); err != nil {
			return err
		}
		status := metav1.ConditionTrue
		if query.Get("ready") == "" {
			status = metav1.ConditionFalse
		}
		instance.Status.Conditions[0] = condition("Ready", status, "Unhealthy", "changed by a test")
		instance.Status.Conditions[3] = condition("Healthy", status, "Unhealthy", "changed by a test")
		return w.Client.Status().Update(t.Context(), instance)
	})
	handle("/instance", func(query url.Values) error { // Another instance, which is the first one of the list.
		instance := &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.tenant, Name: query.Get("name")},
			Spec:       v1alpha1.AppInstanceSpec{AppRef: w.ref, Title: "0 " + query.Get("name")},
		}
		return w.Client.Create(t.Context(), instance)
	})
	handle("/remove-instance", func(query url.Values) error {
		instance := &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Namespace: w.tenant, Name: query.Get("name")}}
		if err := w.Client.Delete(t.Context(), instance); err != nil {
			return fmt.Errorf("delete %s: %w", instance.Name, err)
		}
		return nil
	})
}
