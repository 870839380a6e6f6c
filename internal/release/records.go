package release

import "context"

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
