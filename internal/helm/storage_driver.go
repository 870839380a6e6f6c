package helm

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/outcome"
)

// records is the storage driver of Helm for one operation. It stores the revision of the operation
// and the error of its last write, because Helm does not return every such error.
type records struct {
	driver.Driver
	current *release.Release
	key     string
	failed  error
	// hasCreated reports that the operation has created a revision.
	hasCreated bool
	// chart replaces the chart in the record of that revision, unless it is nil.
	chart *chart.Chart
	// labels are added to that revision, for operations of Helm that accept no labels.
	labels map[string]string
	// beforeDelete is called before the first record is deleted. If it returns an error, the record
	// is kept.
	beforeDelete func() error
	// kept is the key of a record that is not deleted, even if the history exceeds its limit.
	kept     string
	verifier *recordVerifier
}

// Get reads a revision.
func (r *records) Get(key string) (*release.Release, error) {
	one, err := r.Driver.Get(key)
	if err != nil {
		return nil, err
	}
	return one, r.checkReleases(one)
}

// Query reads the revisions with the labels given.
func (r *records) Query(labels map[string]string) ([]*release.Release, error) {
	found, err := r.Driver.Query(labels)
	if err != nil {
		return nil, err
	}
	return found, r.checkReleases(found...)
}

// List returns the revisions that match filter. Helm calls filter for every record.
func (r *records) List(filter func(*release.Release) bool) ([]*release.Release, error) {
	var unsound error
	found, err := r.Driver.List(func(one *release.Release) bool {
		if err := checkRecords(one); err != nil {
			unsound = err
			return false
		}
		if !filter(one) {
			return false
		}
		if err := r.verifier.checkDigests(one); err != nil {
			unsound = err
			return false
		}
		return true
	})
	return found, errors.Join(err, unsound)
}

// checkReleases returns an error if a record is invalid or was not written by the operator.
func (r *records) checkReleases(all ...*release.Release) error {
	if err := checkRecords(all...); err != nil {
		return err
	}
	return r.verifier.checkDigests(all...)
}

// checkRecords returns an error for records that would cause a panic in Helm or in this package. A
// tenant can write such records.
func checkRecords(all ...*release.Release) error {
	for _, one := range all {
		if one.Info == nil {
			return fmt.Errorf("read record of revision %d of release %q: it has no info", one.Version, one.Name)
		}
		if slices.Contains(one.Hooks, nil) {
			return fmt.Errorf("read record of revision %d of release %q: it has an empty hook", one.Version, one.Name)
		}
	}
	return nil
}

// Create writes a new revision. It resets the results of hooks, because a rollback of Helm copies
// the hooks with the times of their earlier runs.
func (r *records) Create(key string, one *release.Release) error {
	r.current, r.key = one, key
	if r.chart != nil {
		one.Chart = r.chart
	}
	for _, hook := range one.Hooks {
		hook.LastRun = release.HookExecution{}
	}
	if len(r.labels) > 0 {
		labels := maps.Clone(r.labels)
		for name, value := range one.Labels {
			if _, ok := labels[name]; !ok {
				labels[name] = value
			}
		}
		one.Labels = labels
	}
	if err := r.verifier.storeDigest(one); err != nil {
		return err
	}
	if err := r.Driver.Create(key, one); err != nil {
		return checkRecordSize(err)
	}
	r.hasCreated = true
	failpoint.Point(failpoint.HelmRecordPending, r.failpointSubject())
	return nil
}

// Update overwrites a revision. It does not mark an earlier revision as superseded after the new
// one has failed: a rollback of Helm would do so, and lose the information which revision was
// complete.
func (r *records) Update(key string, one *release.Release) error {
	superseded := one.Info.Status == release.StatusSuperseded
	if superseded && key != r.key && r.hasCreated && r.current.Info.Status == release.StatusFailed {
		return nil
	}
	err := checkRecordSize(r.Driver.Update(key, one))
	if r.current == nil || key == r.key {
		r.current, r.key, r.failed = one, key, err
	}
	return err
}

// Delete deletes a revision, unless it is the one to keep.
func (r *records) Delete(key string) (*release.Release, error) {
	if key == r.kept {
		return nil, nil
	}
	if prepare := r.beforeDelete; prepare != nil {
		if err := prepare(); err != nil {
			return nil, err
		}
		r.beforeDelete = nil
	}
	deleted, err := r.Driver.Delete(key)
	if err == nil && deleted != nil {
		r.verifier.removeDigest(deleted)
	}
	return deleted, err
}

// failpointSubject returns the name of the release for failpoints.
func (r *records) failpointSubject() string {
	if r.current == nil {
		return ""
	}
	return r.current.Namespace + "/" + r.current.Name
}

// recordName returns the name of the Secret in which Helm stores a revision.
func recordName(release string, revision int) string {
	return fmt.Sprintf("%s.%s.v%d", storage.HelmStorageType, release, revision)
}

// checkRecordSize classifies the error for a record that is too large.
func checkRecordSize(err error) error {
	if large, ok := errors.AsType[*recordTooLargeError](err); ok {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, large)
	}
	return err
}
