package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/retry"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

// Driver is the storage driver of Helm for one operation. It stores the revision of the operation
// and the error of its last write, because Helm does not return every such error.
type Driver struct {
	driver.Driver
	secrets  *chunkedSecrets
	cache    *recordCache
	verifier *recordVerifier
	// Current is the revision of the operation, and WriteError the error of its last write.
	Current    *release.Release
	WriteError error
	key        string
	// HasCreated reports that the operation has created a revision.
	HasCreated bool
	// Chart replaces the chart in the record of that revision, unless it is nil.
	Chart *chart.Chart
	// Labels are added to that revision, for operations of Helm that accept no labels.
	Labels map[string]string
	// BeforeDelete is called before the first record is deleted. If it returns an error, the record
	// is kept.
	BeforeDelete func() error
	// kept is the key of a record that is not deleted, even if the history exceeds its limit.
	kept string
}

// NewDriver returns the driver of one operation on releases. secrets is a client for the Secrets of a
// namespace. If known is nil, every record is trusted.
func NewDriver(ctx context.Context, secrets corev1.SecretInterface, known plain.Records, sizes ChunkSizes) *Driver {
	cache := newRecordCache(secrets)
	chunked := newChunkedSecrets(cache, sizes)
	return &Driver{
		Driver: driver.NewSecrets(chunked), secrets: chunked, cache: cache, verifier: newRecordVerifier(ctx, known),
	}
}

// AssumeNoRecords lets the operation assume that a release has no records, without reading them.
func (r *Driver) AssumeNoRecords(release string) { r.cache.setEmpty(release) }

// KeepRevision keeps a revision, even if the history exceeds its limit.
func (r *Driver) KeepRevision(release string, revision int) { r.kept = recordName(release, revision) }

// StoreDigests stores the digests of all records of a release that were read.
func (r *Driver) StoreDigests(release string) error { return r.verifier.storeDigests(release) }

// DeleteUnusedChunks deletes the chunks that were read or written and that no record lists.
func (r *Driver) DeleteUnusedChunks(ctx context.Context) error {
	return r.secrets.deleteUnusedChunks(ctx)
}

// AddLabels adds labels to the record of a revision. It does not encode the record again, because
// another version of Helm may have stored fields that this version does not know.
func (r *Driver) AddLabels(ctx context.Context, revision *release.Release, labels map[string]string) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		record, err := r.cache.Get(ctx, recordName(revision.Name, revision.Version), metav1.GetOptions{})
		if err != nil {
			return err
		}
		maps.Copy(record.Labels, labels)
		_, err = r.cache.Update(ctx, record, metav1.UpdateOptions{})
		return err
	})
}

// Get reads a revision.
func (r *Driver) Get(key string) (*release.Release, error) {
	one, err := r.Driver.Get(key)
	if err != nil {
		return nil, err
	}
	return one, r.checkReleases(one)
}

// Query reads the revisions with the labels given.
func (r *Driver) Query(labels map[string]string) ([]*release.Release, error) {
	found, err := r.Driver.Query(labels)
	if err != nil {
		return nil, err
	}
	return found, r.checkReleases(found...)
}

// List returns the revisions that match filter. Helm calls filter for every record.
func (r *Driver) List(filter func(*release.Release) bool) ([]*release.Release, error) {
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
func (r *Driver) checkReleases(all ...*release.Release) error {
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
			return fmt.Errorf("read record of revision %d of release %q: info is missing", one.Version, one.Name)
		}
		if slices.Contains(one.Hooks, nil) {
			return fmt.Errorf("read record of revision %d of release %q: a hook is empty", one.Version, one.Name)
		}
	}
	return nil
}

// Create writes a new revision. It resets the results of hooks, because a rollback of Helm copies
// the hooks with the times of their earlier runs.
func (r *Driver) Create(key string, one *release.Release) error {
	r.Current, r.key = one, key
	if r.Chart != nil {
		one.Chart = r.Chart
	}
	for _, hook := range one.Hooks {
		hook.LastRun = release.HookExecution{}
	}
	if len(r.Labels) > 0 {
		labels := maps.Clone(r.Labels)
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
	r.HasCreated = true
	failpoint.Point(failpoint.HelmRecordPending, r.FailpointSubject())
	return nil
}

// Update overwrites a revision. It does not mark an earlier revision as superseded after the new
// one has failed: a rollback of Helm would do so, and lose the information which revision was
// complete.
func (r *Driver) Update(key string, one *release.Release) error {
	superseded := one.Info.Status == release.StatusSuperseded
	if superseded && key != r.key && r.HasCreated && r.Current.Info.Status == release.StatusFailed {
		return nil
	}
	err := checkRecordSize(r.Driver.Update(key, one))
	if r.Current == nil || key == r.key {
		r.Current, r.key, r.WriteError = one, key, err
	}
	return err
}

// Delete deletes a revision, unless it is the one to keep.
func (r *Driver) Delete(key string) (*release.Release, error) {
	if key == r.kept {
		return nil, nil
	}
	if prepare := r.BeforeDelete; prepare != nil {
		if err := prepare(); err != nil {
			return nil, err
		}
		r.BeforeDelete = nil
	}
	deleted, err := r.Driver.Delete(key)
	if err == nil && deleted != nil {
		r.verifier.removeDigest(deleted)
	}
	return deleted, err
}

// FailpointSubject returns the name of the release for failpoints.
func (r *Driver) FailpointSubject() string {
	if r.Current == nil {
		return ""
	}
	return r.Current.Namespace + "/" + r.Current.Name
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
