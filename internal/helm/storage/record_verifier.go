package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"helm.sh/helm/v3/pkg/release"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

// recordVerifier rejects release records that the operator has not written, and stores the digests of the
// records that it writes.
type recordVerifier struct {
	ctx context.Context
	// known stores the digests. If it is nil, every record is trusted.
	known plain.Records
	// seen contains the digests of the records that were read and written, by release and revision.
	seen map[string]map[int]string
}

func newRecordVerifier(ctx context.Context, known plain.Records) *recordVerifier {
	return &recordVerifier{ctx: ctx, known: known, seen: map[string]map[int]string{}}
}

// checkDigests returns an error if the digest of a record is unknown. It trusts all records of a release
// for which no digests are stored.
func (t *recordVerifier) checkDigests(records ...*release.Release) error {
	if t.known == nil {
		return nil
	}
	for _, record := range records {
		digest, err := recordDigest(record)
		if err != nil {
			return err
		}
		recorded := t.known.RecordDigests(record.Name)
		if len(recorded) > 0 && recorded[record.Version] != digest {
			return outcome.Stalled(v1alpha1.ReasonRecordChanged, fmt.Errorf(
				"Secret %s, the record of revision %d of release %q, was not written by AppMarket or was changed since: "+
					"delete the Secret to continue with the earlier revision, and set the annotation %s of the AppInstance to another value",
				recordName(record.Name, record.Version), record.Version, record.Name, v1alpha1.ReconcileRequestAnnotation))
		}
		t.addDigest(record.Name, record.Version, digest)
	}
	return nil
}

// storeDigest stores the digest of a record that is about to be written.
func (t *recordVerifier) storeDigest(record *release.Release) error {
	if t.known == nil {
		return nil
	}
	digest, err := recordDigest(record)
	if err != nil {
		return err
	}
	t.addDigest(record.Name, record.Version, digest)
	if err := t.known.StoreDigests(t.ctx, record.Name, maps.Clone(t.seen[record.Name])); err != nil {
		return fmt.Errorf("store digest of revision %d of release %q: %w", record.Version, record.Name, err)
	}
	return nil
}

// storeDigests stores the digests of all records of a release that were read.
func (t *recordVerifier) storeDigests(name string) error {
	if t.known == nil {
		return nil
	}
	return t.known.StoreDigests(t.ctx, name, maps.Clone(t.seen[name]))
}

func (t *recordVerifier) addDigest(name string, revision int, digest string) {
	if t.seen[name] == nil {
		t.seen[name] = map[int]string{}
	}
	t.seen[name][revision] = digest
}

// removeDigest removes the digest of a record that was deleted.
func (t *recordVerifier) removeDigest(record *release.Release) {
	delete(t.seen[record.Name], record.Version)
}

// recordDigest returns the digest of the parts of a record that an operation applies: its objects
// and hooks. The digest does not depend on the status of the revision and the results of its hooks.
func recordDigest(record *release.Release) (string, error) {
	carried := struct {
		Namespace, Name, Manifest string
		Revision                  int
		Hooks                     []release.Hook
	}{Namespace: record.Namespace, Name: record.Name, Manifest: record.Manifest, Revision: record.Version}
	for _, hook := range record.Hooks {
		if hook == nil {
			return "", errors.New("a hook is empty")
		}
		one := *hook
		one.LastRun = release.HookExecution{}
		if len(one.DeletePolicies) == 0 {
			// Helm writes its default into the record when it runs the hook.
			one.DeletePolicies = []release.HookDeletePolicy{release.HookBeforeHookCreation}
		}
		carried.Hooks = append(carried.Hooks, one)
	}
	text, err := json.Marshal(carried)
	if err != nil {
		return "", fmt.Errorf("encode record of revision %d of release %q: %w", record.Version, record.Name, err)
	}
	return "sha256:" + digestOf(text), nil
}
