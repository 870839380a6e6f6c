package uploads

import (
	"fmt"
	"path"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// checkQuota returns an error if a chart would exceed the limits of its source or namespace.
func (s *Store) checkQuota(owner hydrate.Owner, limits Limits, next, old *Chart) error {
	var added int64
	for _, b := range next.blobs() {
		if _, err := s.files.Root.Stat(blobPath(owner, b.Digest)); err != nil {
			added += b.Size
		}
	}
	if added == 0 && old != nil {
		return nil
	}
	used, err := s.bytesOf(owner)
	if err != nil {
		return err
	}
	if limits.Bytes > 0 && used+added > limits.Bytes {
		return outcome.Stalled(v1alpha1.ReasonAllowanceExceeded, fmt.Errorf(
			"exceeded limit of %d bytes of source %q: delete versions, or increase spec.upload.maxSize", limits.Bytes, owner.Source))
	}
	count, err := s.countCharts(owner)
	if err != nil {
		return err
	}
	if limits.Charts > 0 && old == nil && count >= limits.Charts {
		return outcome.Stalled(v1alpha1.ReasonAllowanceExceeded, fmt.Errorf(
			"exceeded limit of %d versions of source %q: delete versions, or increase spec.upload.maxCharts", limits.Charts, owner.Source))
	}
	return s.checkNamespaceQuota(owner, added)
}

func (s *Store) checkNamespaceQuota(owner hydrate.Owner, added int64) error {
	if s.options.NamespaceBytes <= 0 {
		return nil
	}
	owners, err := s.ownersIn(chartsFolder, owner.Namespace)
	if err != nil {
		return err
	}
	var used int64
	for _, each := range owners {
		size, err := s.bytesOf(each)
		if err != nil {
			return err
		}
		used += size
	}
	if used+added > s.options.NamespaceBytes {
		return outcome.Stalled(v1alpha1.ReasonAllowanceExceeded, fmt.Errorf(
			"exceeded limit of %d bytes of the sources in namespace %q: delete versions, or ask a cluster administrator to increase --namespace-upload-bytes",
			s.options.NamespaceBytes, owner.Namespace))
	}
	return nil
}

// bytesOf returns the size of the content of a source.
func (s *Store) bytesOf(owner hydrate.Owner) (int64, error) {
	blobs, err := s.readFolder(blobsFolder(owner))
	if err != nil {
		return 0, err
	}
	var size int64
	for _, entry := range blobs {
		if info, err := entry.Info(); err == nil { // A file that was removed has no size.
			size += info.Size()
		}
	}
	return size, nil
}

// countCharts returns the number of versions of a source.
func (s *Store) countCharts(owner hydrate.Owner) (int, error) {
	apps, err := s.readFolder(recordsFolder(owner))
	if err != nil {
		return 0, err
	}
	count := 0
	for _, app := range apps {
		versions, err := s.readFolder(path.Join(recordsFolder(owner), app.Name()))
		if err != nil {
			return 0, err
		}
		count += len(versions)
	}
	return count, nil
}
