package release

import "time"

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
