package chart

import (
	"cmp"
	"strings"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v3/pkg/chart"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/yamlfault"
)

// The files that Helm reads in the folder of a chart.
const (
	MetadataFile = "Chart.yaml"
	ValuesFile   = "values.yaml"
	SchemaFile   = "values.schema.json"
)

// Metadata is Chart.yaml, as Helm reads it.
type Metadata = chart.Metadata

// ReadMetadata reads Chart.yaml. Name and version must be there, the version a
// semantic one, as Helm asks for when it packages a chart. A chart that does not give
// its apiVersion is one of v1, as for Helm.
func ReadMetadata(files []File) (Metadata, error) {
	var meta Metadata
	text, ok := FindFile(files, MetadataFile)
	if !ok {
		return meta, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "no %s", MetadataFile)
	}
	if err := yaml.Unmarshal(text, &meta); err != nil {
		return meta, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "read %s: %w", MetadataFile, yamlfault.Locate(text, err))
	}
	if meta.Name == "" || strings.ContainsAny(meta.Name, `/\`) {
		return meta, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "%s: name %q is not usable", MetadataFile, meta.Name)
	}
	if _, err := semver.NewVersion(meta.Version); err != nil {
		return meta, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "%s: version %q is not a semantic version", MetadataFile, meta.Version)
	}
	meta.APIVersion = cmp.Or(meta.APIVersion, chart.APIVersionV1)
	if err := meta.Validate(); err != nil {
		return meta, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "%s: %w", MetadataFile, err)
	}
	return meta, nil
}
