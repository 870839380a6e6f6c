package chartrepo_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/appmarket/operator/internal/bucket"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/test/testbucket"
)

// storageKind is a Storage that tests run on. Its files are in a folder in any case.
type storageKind struct {
	name string
	open func(t testing.TB, dir string, options chartrepo.Options) (*chartrepo.Store, error)
}

// buckets contains a service for each folder.
var buckets sync.Map

var volumeKind = storageKind{"volume", func(_ testing.TB, dir string, options chartrepo.Options) (*chartrepo.Store, error) {
	return chartrepo.Open(dir, options)
}}

var bucketKind = storageKind{"bucket", func(t testing.TB, dir string, options chartrepo.Options) (*chartrepo.Store, error) {
	return chartrepo.OpenStorage(newBucket(t, dir), options)
}}

// onEachStorage runs a test on a volume and on a bucket.
func onEachStorage(t *testing.T, test func(t *testing.T, in storageKind)) {
	t.Helper()
	for _, kind := range []storageKind{volumeKind, bucketKind} {
		t.Run(kind.name, func(t *testing.T) { test(t, kind) })
	}
}

// serviceOf returns the service with the objects of a folder.
func serviceOf(t testing.TB, dir string) *testbucket.Server {
	t.Helper()
	if known, ok := buckets.Load(dir); ok {
		return known.(*testbucket.Server)
	}
	server := testbucket.Start(t, dir)
	buckets.Store(dir, server)
	return server
}

func newBucket(t testing.TB, dir string) *bucket.Bucket {
	t.Helper()
	opened, err := bucket.New(bucket.Config{
		Name: testbucket.Name, Endpoint: serviceOf(t, dir).URL, CredentialsDir: testbucket.WriteKeys(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// openStore opens a store with a fixed clock.
func (k storageKind) openStore(t testing.TB, dir string, recorder *damageRecorder) *chartrepo.Store {
	t.Helper()
	options := chartrepo.Options{Now: fixedTime}
	if recorder != nil {
		options.OnDamaged = recorder.recordDamage
	}
	return k.openStoreWith(t, dir, options)
}

func (k storageKind) openStoreWith(t testing.TB, dir string, options chartrepo.Options) *chartrepo.Store {
	t.Helper()
	store, err := k.open(t, dir, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// possibleDamages returns the damages that files of this kind can have.
func (k storageKind) possibleDamages() []damage {
	return slices.DeleteFunc(slices.Clone(damages), func(d damage) bool { return d.onVolume && k.name != volumeKind.name })
}
