package release

import (
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Removal specifies how a release is removed.
type Removal struct {
	// Name of the release.
	Name string
	// KeepHistory keeps the records of the release.
	KeepHistory bool
	// SkipHooks removes the release without its pre-delete and post-delete hooks.
	SkipHooks bool
	// Timeout bounds the removal. Defaults to five minutes.
	Timeout time.Duration
}

// IsDeletedWithData reports whether an object that is kept when a release is removed is deleted if the
// data policy of its instance in the namespace is Delete.
func IsDeletedWithData(namespace string, kept v1alpha1.ObjectReference) bool {
	return kept.Kind == "PersistentVolumeClaim" || kept.Kind == "Namespace" && kept.Name != namespace
}
