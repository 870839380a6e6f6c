package release

import "context"

// Records is what the operator knows of the records that Helm keeps of releases. Whoever may
// write Secrets in a namespace can write such a record, and what it says would be carried
// out as the service account of the instance.
type Records interface {
	// Recorded returns the digests of the records of a release, by revision. Every record is
	// trusted of a release of which it returns none.
	Recorded(release string) map[int]string
	// Record notes the digests of all records that a release is about to have. An error keeps
	// the newest of them from being written.
	Record(ctx context.Context, release string, digests map[int]string) error
}
