package appinstance

import (
	"cmp"
	"context"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// maxRecords is the maximum number of records of a release in status, far more than Helm
// keeps.
const maxRecords = 50

// records stores the digests of the Helm release records of an instance in its status.
type records struct{ *scope }

var _ release.Records = records{}

// RecordDigests returns the stored digests of a release by revision.
func (r records) RecordDigests(name string) map[int]string {
	return release.RecordDigests(r.instance, name)
}

// StoreDigests stores the digests of a release and saves the status.
func (r records) StoreDigests(ctx context.Context, name string, digests map[int]string) error {
	var noted []v1alpha1.ReleaseRecord
	for revision, digest := range digests {
		noted = append(noted, v1alpha1.ReleaseRecord{Revision: int32(revision), Digest: digest})
	}
	slices.SortFunc(noted, func(a, b v1alpha1.ReleaseRecord) int { return cmp.Compare(b.Revision, a.Revision) })
	noted = noted[:min(len(noted), maxRecords)]
	st := &r.instance.Status
	at := slices.IndexFunc(st.Releases, func(known v1alpha1.Release) bool { return known.Name == name })
	if at < 0 {
		st.Releases = append(st.Releases, v1alpha1.Release{Name: name})
		at = len(st.Releases) - 1
	}
	if slices.Equal(st.Releases[at].Records, noted) {
		return nil
	}
	st.Releases[at].Records = noted
	return r.statusWriter.Save(ctx)
}

// copyRecords copies the stored records to new release entries.
func copyRecords(instance *v1alpha1.AppInstance, made []v1alpha1.Release) []v1alpha1.Release {
	for i := range made {
		at := slices.IndexFunc(instance.Status.Releases, func(known v1alpha1.Release) bool { return known.Name == made[i].Name })
		if at >= 0 {
			made[i].Records = instance.Status.Releases[at].Records
		}
	}
	return made
}
