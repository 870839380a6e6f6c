package release

import (
	"fmt"

	"helm.sh/helm/v3/pkg/kube"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/resource"
)

// withoutServedCRDs returns the objects without the CRDs whose kinds the cluster serves. Helm never
// changes a CRD in the folder crds of a chart. For an account that may not create CRDs, the API
// server returns a permission error even if the CRD exists.
func (c *kubeClient) withoutServedCRDs(resources kube.ResourceList) (kube.ResourceList, error) {
	var missing kube.ResourceList
	for _, info := range resources {
		isServed := false
		if isCRD(infoRef(info)) {
			var err error
			if isServed, err = c.isServed(info); err != nil {
				return nil, err
			}
		}
		if !isServed {
			missing.Append(info)
		}
	}
	return missing, nil
}

// isServed reports whether the cluster serves the kind that a CRD defines, in any
// version.
func (c *kubeClient) isServed(info *resource.Info) (bool, error) {
	object, ok := info.Object.(*unstructured.Unstructured)
	if !ok {
		return false, fmt.Errorf("read %s: unexpected type %T", infoRef(info), info.Object)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &crd); err != nil {
		return false, nil // The API server reports what is invalid.
	}
	_, err := c.mapper.RESTMapping(schema.GroupKind{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind})
	if meta.IsNoMatchError(err) {
		return false, nil
	}
	return err == nil, err
}
