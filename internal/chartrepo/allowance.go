package chartrepo

import (
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// checkAllowance refuses a record with which its namespace would have more bytes
// published than it may. Those who publish at the same time may go beyond it, each by one
// version.
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
		"namespace %q would have %d MiB published and may have %d MiB: offer fewer apps or versions (spec.include, spec.versions of its sources), or have --namespace-published-bytes of the operator raised; then set the annotation %s of the AppInfo",
		next.Namespace, sum>>20, limit>>20, v1alpha1.ReconcileRequestAnnotation))
}

// bytes is the size of the files of a record.
func (r *record) totalSize() int64 {
	var sum int64
	for _, b := range r.blobs() {
		sum += b.Size
	}
	return sum
}

// bytes is the size of everything that a namespace has published.
func (t *memoryIndex) publishedBytes(namespace string) int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.sizes[namespace]
}
