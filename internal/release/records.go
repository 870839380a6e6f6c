package release

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Records stores digests of the release records of Helm. An attacker that may write Secrets in
// a namespace can write a release record, whose content would be applied as the service account
// of the instance. A record with an unknown digest is therefore rejected.
type Records interface {
	// Recorded returns the digests of the records of a release, by revision. If it returns none,
	// every record of the release is trusted.
	RecordDigests(release string) map[int]string
	// Record stores the digests of all records that a release will have. If it returns an error,
	// the newest record is not written.
	StoreDigests(ctx context.Context, release string, digests map[int]string) error
}

// RecordDigests returns the digests of the records of a release in the status of an instance, by
// revision.
func RecordDigests(instance *v1alpha1.AppInstance, release string) map[int]string {
	digests := map[int]string{}
	for _, known := range instance.Status.Releases {
		if known.Name != release {
			continue
		}
		for _, record := range known.Records {
			digests[int(record.Revision)] = record.Digest
		}
	}
	return digests
}
