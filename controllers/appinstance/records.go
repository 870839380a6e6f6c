package appinstance

import (
	"cmp"
	"context"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// maxRecords bounds the records of a release that are noted, far above those that Helm
// keeps.
const maxRecords = 50

// records notes in status which records of its releases were written for an instance.
type records struct{ *scope }

var _ release.Records = records{}

// Recorded returns the digests that are noted of a release.
func (r records) Recorded(name string) map[int]string {
	digests := map[int]string{}
	for _, known := range r.instance.Status.Releases {
		if known.Name != name {
			continue
		}
		for _, record := range known.Records {
			digests[int(record.Revision)] = record.Digest
		}
	}
	return digests
}

// Record notes the digests of a release at once.
func (r records) Record(ctx context.Context, name string, digests map[int]string) error {
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
	return r.keeper.Save(ctx)
}

// keepRecords gives releases the records that are noted of them.
func (s *scope) keepRecords(made []v1alpha1.Release) []v1alpha1.Release {
	for i := range made {
		at := slices.IndexFunc(s.instance.Status.Releases, func(known v1alpha1.Release) bool { return known.Name == made[i].Name })
		if at >= 0 {
			made[i].Records = s.instance.Status.Releases[at].Records
		}
	}
	return made
}
