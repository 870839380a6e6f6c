package kube

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/appmarket/operator/api/v1alpha1"
)

// manifestScheme knows the kinds that the pages write.
var manifestScheme = newScheme()

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // The kinds are part of the program.
		}
	}
	return scheme
}

// ToManifest returns an object as the fields of a manifest, without its status and without what the
// API server adds.
func ToManifest(object client.Object) (map[string]any, error) {
	kind, err := apiutil.GVKForObject(object, manifestScheme)
	if err != nil {
		return nil, fmt.Errorf("find kind: %w", err)
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("convert object: %w", err)
	}
	delete(fields, "status")
	if metadata, ok := fields["metadata"].(map[string]any); ok {
		for _, name := range []string{"managedFields", "creationTimestamp", "resourceVersion", "uid", "generation"} {
			delete(metadata, name)
		}
	}
	fields["apiVersion"], fields["kind"] = kind.ToAPIVersionAndKind()
	return fields, nil
}
