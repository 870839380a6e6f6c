package source

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/index"
)

const (
	// configMapScheme begins the URL of an offer whose chart is in a ConfigMap.
	configMapScheme = "configmap:"
	// maxConfigMaps is the number of ConfigMaps of a source. configMapsPerPage of them are in memory
	// at the same time, each with at most 1 MiB.
	maxConfigMaps, configMapsPerPage = 200, 10
)

// ConfigMapReader reads charts in the ConfigMaps of a namespace that match a selector. Each key of
// binaryData that ends with .tgz is an archive.
type ConfigMapReader struct {
	Objects   client.Reader
	Namespace string
	Selector  labels.Selector
}

// addCharts adds the charts in ConfigMaps to a listing. digests contains the archives that were
// uploaded, by file name: a version in both must be the same.
func (c *ConfigMapReader) addCharts(ctx context.Context, selector *versionSelector, digests map[string]string) error {
	read, next := 0, ""
	for {
		var page corev1.ConfigMapList
		err := c.Objects.List(ctx, &page, client.InNamespace(c.Namespace), client.MatchingLabelsSelector{Selector: c.Selector},
			client.Limit(configMapsPerPage), client.Continue(next))
		if err != nil {
			return c.toListError(err)
		}
		for i := range page.Items {
			if read++; read > maxConfigMaps {
				return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf(
					"spec.upload.configMapSelector: selects more than %d ConfigMaps: narrow it, or upload the charts", maxConfigMaps))
			}
			if err := addConfigMap(&page.Items[i], selector, digests); err != nil {
				return err
			}
		}
		if next = page.Continue; next == "" {
			return nil
		}
	}
}

func (c *ConfigMapReader) toListError(err error) error {
	if apierrors.IsForbidden(err) {
		return outcome.Stalled(v1alpha1.ReasonReferenceNotFound, fmt.Errorf(
			"spec.upload.configMapSelector: the operator is not allowed to list ConfigMaps in namespace %q: bind the ClusterRole appmarket-market-secrets to its service account there",
			c.Namespace))
	}
	return fmt.Errorf("spec.upload.configMapSelector: list ConfigMaps: %w", err)
}

// addConfigMap adds the charts of one ConfigMap.
func addConfigMap(from *corev1.ConfigMap, selector *versionSelector, digests map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(from.BinaryData)) {
		if !strings.HasSuffix(key, archiveSuffix) {
			continue
		}
		name := from.Name + "/" + key
		entry, err := readArchiveEntry(from.BinaryData[key], name)
		if err != nil {
			selector.Skip(name, outcome.Stalled(outcome.Reason(err, v1alpha1.ReasonInvalidArchive), fmt.Errorf("ConfigMap %q: %w", from.Name, err)))
			continue
		}
		if !selector.Wants(entry.Name) {
			continue
		}
		file := entry.Name + "-" + entry.Version + archiveSuffix
		if have, exists := digests[file]; exists && have != entry.Digest {
			selector.Skip(entry.Name, fmt.Errorf("ConfigMap %q: version %q was uploaded with another content", from.Name, entry.Version))
			continue
		}
		digests[file] = entry.Digest
		if err := selector.Add(entry.Name, *entry); err != nil {
			return err
		}
	}
	return nil
}

func readArchiveEntry(archive []byte, name string) (*index.Entry, error) {
	text, err := findChartFile(archive)
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidArchive, err)
	}
	return parseChartFile(text, configMapScheme+name, chart.Digest(archive))
}

// fetchChart reads the chart of an offer. It may have changed since it was listed: compare its digest.
func (c *ConfigMapReader) fetchChart(ctx context.Context, offer hydrate.Offer) (hydrate.ChartContent, error) {
	location, isConfigMap := strings.CutPrefix(offer.URL, configMapScheme)
	name, key, hasKey := strings.Cut(location, "/")
	if !isConfigMap || !hasKey {
		return hydrate.ChartContent{}, outcome.Stalled(v1alpha1.ReasonNotFound, errors.New("read chart: the URL does not belong to the source"))
	}
	found := &corev1.ConfigMap{}
	err := c.Objects.Get(ctx, types.NamespacedName{Namespace: c.Namespace, Name: name}, found)
	if err != nil && !apierrors.IsNotFound(err) {
		return hydrate.ChartContent{}, fmt.Errorf("get ConfigMap %q: %w", name, err)
	}
	archive := found.BinaryData[key]
	if len(archive) == 0 || !c.Selector.Matches(labels.Set(found.Labels)) {
		return hydrate.ChartContent{}, outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf(
			"ConfigMap %q with the key %q does not exist, or does not match spec.upload.configMapSelector", name, key))
	}
	return hydrate.ChartContent{Archive: archive}, nil
}
