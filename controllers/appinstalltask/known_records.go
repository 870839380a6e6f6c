package appinstalltask

import (
	"context"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// knownRecords are the digests of the release records in the status of an instance. A task only reads
// records.
type knownRecords struct{ instance *v1alpha1.AppInstance }

var _ release.Records = knownRecords{}

// RecordDigests returns the digests of the records of a release, by revision.
func (k knownRecords) RecordDigests(name string) map[int]string {
	return release.RecordDigests(k.instance, name)
}

// StoreDigests returns an error, because only the controller of instances writes records.
func (k knownRecords) StoreDigests(_ context.Context, name string, _ map[int]string) error {
	return fmt.Errorf("store digests of release %q: a dry run writes no records", name)
}
