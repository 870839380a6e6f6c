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

// records is where Helm keeps releases. It remembers the one worked on, and
// whether it could be written: Helm does not always say.
type records struct {
	driver.Driver
	current *release.Release
	key     string
	failed  error
	// begun says that the operation has made a revision.
	begun bool
	// chart is what that revision is recorded with, nil for the chart that Helm has.
	chart *chart.Chart
	// labels are put on that revision, where Helm has no way to ask for it.
	labels map[string]string
	// beforeDelete is called before the first record is deleted. An error keeps it.
	beforeDelete func() error
	// kept is the record that is not deleted, whatever the bound of the history.
	kept  string
	trust *trust
}

// Get reads a revision.
func (r *records) Get(key string) (*release.Release, error) {
	one, err := r.Driver.Get(key)
	if err != nil {
		return nil, err
	}
	return one, r.check(one)
}

// Query reads the revisions with the labels given.
func (r *records) Query(labels map[string]string) ([]*release.Release, error) {
	found, err := r.Driver.Query(labels)
	if err != nil {
		return nil, err
	}
	return found, r.check(found...)
}

// List reads the revisions that filter wants. Helm gives it every record there is.
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
		if err := r.trust.check(one); err != nil {
			unsound = err
			return false
		}
		return true
	})
	return found, errors.Join(err, unsound)
}

// check refuses records that cannot be worked with, and those that somebody else wrote.
func (r *records) check(all ...*release.Release) error {
	if err := checkRecords(all...); err != nil {
		return err
	}
	return r.trust.check(all...)
}

// checkRecords refuses records over which Helm and we would panic. A tenant can
// write them.
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

// Create writes a new revision. Nothing of it has run: Helm copies the hooks of the
// revision gone back to with the times at which they ran then.
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
	if err := r.trust.note(one); err != nil {
		return err
	}
	if err := r.Driver.Create(key, one); err != nil {
		return judgeSize(err)
	}
	r.begun = true
	failpoint.Point(failpoint.HelmRecordPending, r.subject())
	return nil
}

// Update writes a revision anew. No revision is superseded by one that failed: a
// rollback of Helm's would have it so, and forget which revision was complete.
func (r *records) Update(key string, one *release.Release) error {
	superseded := one.Info.Status == release.StatusSuperseded
	if superseded && key != r.key && r.begun && r.current.Info.Status == release.StatusFailed {
		return nil
	}
	err := judgeSize(r.Driver.Update(key, one))
	if r.current == nil || key == r.key {
		r.current, r.key, r.failed = one, key, err
	}
	return err
}

// Delete deletes a revision, but not the one that is kept.
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
		r.trust.forget(deleted)
	}
	return deleted, err
}

// subject names the release worked on for points of failure.
func (r *records) subject() string {
	if r.current == nil {
		return ""
	}
	return r.current.Namespace + "/" + r.current.Name
}

// recordName is the name of the Secret that Helm keeps a revision in.
func recordName(release string, revision int) string {
	return fmt.Sprintf("%s.%s.v%d", storage.HelmStorageType, release, revision)
}

// judgeSize says what a record that is too large means.
func judgeSize(err error) error {
	if large, ok := errors.AsType[*tooLarge](err); ok {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, large)
	}
	return err
}
