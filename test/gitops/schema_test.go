package gitops_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/conformance"
	"github.com/appmarket/operator/test/testenv"
)

// eachTestdata calls do for each object in the testdata of the scripts.
func eachTestdata(t *testing.T, do func(t *testing.T, o *unstructured.Unstructured)) {
	for _, kind := range kinds {
		for _, folder := range []string{"testdata", "actions/testdata"} {
			g := NewWithT(t)
			for _, name := range fileNames(g, scriptPath(g, kind, folder)) {
				t.Run(strings.Join([]string{kind, folder, name}, "/"), func(t *testing.T) {
					do(t, readObject(NewWithT(t), scriptPath(g, kind, folder, name)))
				})
			}
		}
	}
}

// TestTestdataIsValid creates every object, including its status, on a real API server with strict
// field validation.
func TestTestdataIsValid(t *testing.T) {
	server := testenv.Start(t)
	strict := client.WithFieldValidation(server.Client, metav1.FieldValidationStrict)
	eachTestdata(t, func(t *testing.T, o *unstructured.Unstructured) {
		g := NewWithT(t)
		g.Expect(o.GetName()).NotTo(BeEmpty())
		status := o.Object["status"]
		made := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": o.GetAPIVersion(), "kind": o.GetKind(), "spec": o.Object["spec"],
			"metadata": map[string]any{"name": o.GetName(), "namespace": server.Namespace(t, nil)},
		}}
		g.Expect(strict.Create(t.Context(), made)).To(Succeed())
		made.Object["status"] = status
		g.Expect(strict.Status().Update(t.Context(), made)).To(Succeed())
		g.Expect(made.Object["status"]).To(Equal(status), "no field is dropped or defaulted")
	})
}

// TestTestdataKeepsTheContract checks that the testdata of the scripts keeps the status contract,
// as objects written by the operator do.
func TestTestdataKeepsTheContract(t *testing.T) {
	eachTestdata(t, func(t *testing.T, o *unstructured.Unstructured) {
		g := NewWithT(t)
		made, err := newScheme(g).New(v1alpha1.GroupVersion.WithKind(o.GetKind()))
		g.Expect(err).NotTo(HaveOccurred())
		typed := made.(v1alpha1.Object)
		g.Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, typed)).To(Succeed())
		if isUnobserved(typed) {
			return
		}
		conformance.ExpectContract(g, typed)
	})
}

func newScheme(g Gomega) *runtime.Scheme {
	s := runtime.NewScheme()
	g.Expect(v1alpha1.AddToScheme(s)).To(Succeed())
	return s
}

// isUnobserved reports whether the operator has not reconciled the current generation of an object yet.
func isUnobserved(o v1alpha1.Object) bool {
	for _, c := range o.GetConditions() {
		if c.ObservedGeneration == o.GetGeneration() {
			return false
		}
	}
	return o.GetObservedGeneration() != o.GetGeneration()
}
