package helmtest

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// Widgets is a CRD of a custom kind.
const Widgets = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.test.appmarket.io}
spec:
  group: test.appmarket.io
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {speed: {type: integer, default: 1}}}}
`

// Resources contains the resources of the kinds that tests change.
var Resources = map[string]schema.GroupVersionResource{
	"Deployment":            Deployments,
	"DaemonSet":             Deployments.GroupVersion().WithResource("daemonsets"),
	"Job":                   {Group: "batch", Version: "v1", Resource: "jobs"},
	"ConfigMap":             {Version: "v1", Resource: "configmaps"},
	"Secret":                {Version: "v1", Resource: "secrets"},
	"Service":               {Version: "v1", Resource: "services"},
	"PersistentVolumeClaim": {Version: "v1", Resource: "persistentvolumeclaims"},
	"Widget":                {Group: "test.appmarket.io", Version: "v1", Resource: "widgets"},
}

// RequireWidgets creates a custom kind in the cluster.
func RequireWidgets(t testing.TB) {
	t.Helper()
	RequireServer(t)
	g := NewWithT(t)
	object := &unstructured.Unstructured{}
	g.Expect(yaml.Unmarshal([]byte(Widgets), &object.Object)).To(Succeed())
	admin, err := dynamic.NewForConfig(Server.Config)
	g.Expect(err).NotTo(HaveOccurred())
	crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	if _, err = admin.Resource(crds).Create(t.Context(), object, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Eventually(func() error {
		_, err := admin.Resource(Resources["Widget"]).List(t.Context(), metav1.ListOptions{})
		return err
	}, "10s").Should(Succeed())
}

// EditObject returns a function that applies a JSON merge patch to an object such as "ConfigMap/settings", as
// another client.
func EditObject(object, patch string) func(testing.TB, *ChartClient, string) {
	return func(t testing.TB, _ *ChartClient, namespace string) {
		kind, name, _ := strings.Cut(object, "/")
		PatchObject(t, Resources[kind], namespace, name, patch)
	}
}
