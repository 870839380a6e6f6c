package storage

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

const (
	// snapshotAge is the time for which an operation does not read the Secrets of a release again.
	// After a hook that takes longer they are read again.
	snapshotAge = 10 * time.Second
	// maxSnapshotBytes bounds the size of the Secrets of a release that are cached.
	maxSnapshotBytes = 1 << 20
)

// recordCache caches the Secrets that one operation has read and written, and serves its lists from
// the cache. Helm lists the Secrets of a release in every step, and each list can take the API
// server a tenth of a second, because it waits until its cache is up to date.
//
// Every write is sent to the API server, which rejects a revision that another client has created
// in the meantime. After a failed write the Secrets are read again.
type recordCache struct {
	corev1.SecretInterface

	mu sync.Mutex
	// releases contains the Secrets of each release that was listed.
	releases map[string]*listing
}

// listing contains all Secrets of one release, by name.
type listing struct {
	secrets map[string]*core.Secret
	read    time.Time
}

func newRecordCache(secrets corev1.SecretInterface) *recordCache {
	return &recordCache{SecretInterface: secrets, releases: map[string]*listing{}}
}

// setEmpty stores that a release has no Secrets.
func (s *recordCache) setEmpty(release string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.releases[release] = &listing{secrets: map[string]*core.Secret{}, read: time.Now()}
}

// List lists Secrets like the API server, from the cache if it contains the release.
func (s *recordCache) List(ctx context.Context, how metav1.ListOptions) (*core.SecretList, error) {
	release, isWhole, err := releaseOf(how.LabelSelector)
	if err != nil {
		return nil, err
	}
	if how.Continue == "" {
		if known := s.cachedSecrets(release, how.LabelSelector); known != nil {
			return known, nil
		}
	}
	began := time.Now()
	list, err := s.SecretInterface.List(ctx, how)
	if err == nil && isWhole && how.Continue == "" && list.Continue == "" {
		s.cacheSecrets(release, list.Items, began)
	}
	return list, err
}

// cachedSecrets returns the Secrets of a release that match a selector, or nil if they are not cached.
func (s *recordCache) cachedSecrets(release, selector string) *core.SecretList {
	wanted, err := labels.Parse(selector)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.releases[release]
	if known == nil || time.Since(known.read) > snapshotAge {
		delete(s.releases, release)
		return nil
	}
	list := &core.SecretList{}
	for _, secret := range known.secrets {
		if wanted.Matches(labels.Set(secret.Labels)) {
			list.Items = append(list.Items, *secret.DeepCopy())
		}
	}
	slices.SortFunc(list.Items, func(a, b core.Secret) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// cacheSecrets caches the Secrets of a release unless they exceed maxSnapshotBytes.
func (s *recordCache) cacheSecrets(release string, secrets []core.Secret, read time.Time) {
	total := 0
	one := &listing{secrets: map[string]*core.Secret{}, read: read}
	for i := range secrets {
		for _, text := range secrets[i].Data {
			total += len(text)
		}
		one.secrets[secrets[i].Name] = secrets[i].DeepCopy()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.releases, release)
	if total <= maxSnapshotBytes {
		s.releases[release] = one
	}
}

// Create creates a Secret.
func (s *recordCache) Create(ctx context.Context, secret *core.Secret, how metav1.CreateOptions) (*core.Secret, error) {
	written, err := s.SecretInterface.Create(ctx, secret, how)
	s.cacheWritten(secret, written, err)
	return written, err
}

// Update updates a Secret.
func (s *recordCache) Update(ctx context.Context, secret *core.Secret, how metav1.UpdateOptions) (*core.Secret, error) {
	written, err := s.SecretInterface.Update(ctx, secret, how)
	s.cacheWritten(secret, written, err)
	return written, err
}

// Delete deletes a Secret.
func (s *recordCache) Delete(ctx context.Context, name string, how metav1.DeleteOptions) error {
	err := s.SecretInterface.Delete(ctx, name, how)
	s.mu.Lock()
	defer s.mu.Unlock()
	for release, known := range s.releases {
		if _, ok := known.secrets[name]; !ok {
			continue
		}
		delete(known.secrets, name)
		if err != nil {
			delete(s.releases, release)
		}
	}
	return err
}

// cacheWritten caches a Secret that was written. It drops the release from the cache after a failed write,
// or if the Secrets exceed maxSnapshotBytes.
func (s *recordCache) cacheWritten(asked, written *core.Secret, err error) {
	release := asked.Labels[nameLabel]
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.releases[release]
	if known == nil {
		return
	}
	if err != nil {
		delete(s.releases, release)
		return
	}
	known.secrets[written.Name] = written.DeepCopy()
	total := 0
	for _, secret := range known.secrets {
		for _, text := range secret.Data {
			total += len(text)
		}
	}
	if total > maxSnapshotBytes {
		delete(s.releases, release)
	}
}

// releaseOf returns the release whose Secrets a selector matches, and reports whether the selector
// matches all of them.
func releaseOf(selector string) (release string, isWhole bool, err error) {
	parsed, err := labels.Parse(selector)
	if err != nil {
		return "", false, err
	}
	requirements, _ := parsed.Requirements()
	owners := map[string]bool{}
	isWhole = true
	for _, one := range requirements {
		switch one.Key() {
		case nameLabel:
			release, _ = one.Values().PopAny()
		case ownerLabel:
			for owner := range one.Values() {
				owners[owner] = true
			}
		default:
			isWhole = false
		}
	}
	return release, isWhole && release != "" && owners[helmOwner] && owners[ourOwner], nil
}
