package chartrepo

import (
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// checkAllowance returns an error if the record would take its namespace over the limit of
// published bytes. Concurrent publications can each exceed the limit by one version.
func (s *Store) checkAllowance(next *record) error {
	limit := s.options.NamespaceBytes
	if limit <= 0 {
		return nil
	}
	sum := s.index.publishedBytes(next.Namespace) + next.totalSize()
	if old := s.index.find(next.owner(), next.App, next.Version); old != nil {
		sum -= old.totalSize()
	}
	if sum <= limit {
		return nil
	}
	return outcome.Stalled(v1alpha1.ReasonAllowanceExceeded, fmt.Errorf(
		"namespace %q would have %d MiB of published charts and reports, and the limit is %d MiB: offer fewer apps or versions (spec.filter.include and spec.filter.maxVersions of its MarketSources), or ask the administrator to raise --namespace-published-bytes; then set the annotation %s on the AppInfo",
		next.Namespace, sum>>20, limit>>20, v1alpha1.ReconcileRequestAnnotation))
}

// totalSize returns the size of the files of a record in bytes.
func (r *record) totalSize() int64 {
	var sum int64
	for _, b := range r.blobs() {
		sum += b.Size
	}
	return sum
}

// publishedBytes returns the total size of the files that a namespace has published.
func (t *memoryIndex) publishedBytes(namespace string) int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.sizes[namespace]
}
