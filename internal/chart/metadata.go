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

// Names of the files that Helm reads in a chart's folder.
const (
	MetadataFile = "Chart.yaml"
	ValuesFile   = "values.yaml"
	SchemaFile   = "values.schema.json"
)

// Metadata is the content of Chart.yaml as Helm parses it.
type Metadata = chart.Metadata

// ReadMetadata parses and validates Chart.yaml. The name is required, and the version must
// be a semantic version, as "helm package" requires. The apiVersion defaults to v1, as in
// Helm. Every error is Stalled with InvalidChart.
func ReadMetadata(files []File) (Metadata, error) {
	var meta Metadata
	text, ok := FindFile(files, MetadataFile)
	if !ok {
		return meta, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "%s not found", MetadataFile)
	}
	if err := yaml.Unmarshal(text, &meta); err != nil {
		return meta, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "read %s: %w", MetadataFile, yamlfault.Locate(text, err))
	}
	if meta.Name == "" || strings.ContainsAny(meta.Name, `/\`) {
		return meta, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "%s: name: Invalid value: %q: must not be empty or contain a slash or backslash", MetadataFile, meta.Name)
	}
	if _, err := semver.NewVersion(meta.Version); err != nil {
		return meta, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "%s: version: Invalid value: %q: must be a semantic version", MetadataFile, meta.Version)
	}
	meta.APIVersion = cmp.Or(meta.APIVersion, chart.APIVersionV1)
	if err := meta.Validate(); err != nil {
		return meta, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "%s: %w", MetadataFile, err)
	}
	return meta, nil
}
