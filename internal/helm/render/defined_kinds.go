package render

import (
	"helm.sh/helm/v3/pkg/chart"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/objects"
)

// definedKinds returns the kinds that the CRDs of a chart define, in the format of
// .Capabilities.APIVersions: an installation creates the CRDs before it renders templates. Other
// objects and invalid documents are ignored.
func definedKinds(unit *chart.Chart) []string {
	var all []string
	for _, file := range unit.CRDObjects() {
		for _, text := range objects.SplitDocuments(string(file.File.Data)) {
			var crd apiextensions.CustomResourceDefinition
			if yaml.Unmarshal([]byte(text), &crd) != nil {
				continue
			}
			for _, version := range crd.Spec.Versions {
				if served := crd.Spec.Group + "/" + version.Name; version.Served {
					all = append(all, served, served+"/"+crd.Spec.Names.Kind)
				}
			}
		}
	}
	return all
}
