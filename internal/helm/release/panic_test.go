package release

import (
	"bytes"
	"context"
	"errors"
	"testing"

	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/appmarket/operator/internal/helm/storage"
)

// TestPanicsInTheCallsOfHelmAreErrors uses a cluster without clients, which panics in each of its
// methods.
func TestPanicsInTheCallsOfHelmAreErrors(t *testing.T) {
	one := &resource.Info{Name: "a", Namespace: "b", Mapping: &meta.RESTMapping{
		GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "Job"}, Scope: meta.RESTScopeNamespace,
	}}
	objects := kube.ResourceList{one, one}
	nothing := kube.ResourceList{nil}
	broken := func() *kubeClient { return &kubeClient{ctx: context.Background(), records: &storage.Driver{}} }
	cases := map[string]func(*kubeClient) error{
		"Build":       func(c *kubeClient) error { _, err := c.Build(&bytes.Buffer{}, false); return err },
		"Create":      func(c *kubeClient) error { _, err := c.Create(objects); return err },
		"createHooks": func(c *kubeClient) error { _, err := c.createHooks(objects); return err },
		"Update":      func(c *kubeClient) error { _, err := c.Update(nil, objects, false); return err },
		"Delete":      func(c *kubeClient) error { _, errs := c.Delete(objects); return errors.Join(errs...) },
		"DeleteWithPropagationPolicy": func(c *kubeClient) error {
			_, errs := c.DeleteWithPropagationPolicy(objects, metav1.DeletePropagationBackground)
			return errors.Join(errs...)
		},
		"WaitForDelete":            func(c *kubeClient) error { return c.WaitForDelete(objects, 1) },
		"WaitForDelete of nothing": func(c *kubeClient) error { return c.WaitForDelete(nothing, 1) },
		"Wait":                     func(c *kubeClient) error { return c.Wait(nothing, 1) },
		"WatchUntilReady":          func(c *kubeClient) error { return c.WatchUntilReady(nothing, 1) },
		"Create of hooks":          func(c *kubeClient) error { _, err := c.createHooks(objects); return err },
		"await":                    func(c *kubeClient) error { return c.waitForGoal(objects, 1, goal{}) },
		"each": func(c *kubeClient) error {
			return c.forEachObject(objects, func(*resource.Info) error { panic("now") })
		},
	}
	for name, call := range cases {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(call(broken())).To(MatchError(ContainSubstring("internal error: ")))
		})
	}
}
