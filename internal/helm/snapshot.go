package helm

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
	// snapshotAge is how long the Secrets of a release are taken to be what an operation has
	// read and written. After a hook that takes longer they are read again.
	snapshotAge = 10 * time.Second
	// maxSnapshotBytes bounds the Secrets that are held for it.
	maxSnapshotBytes = 1 << 20
)

// snapshot answers the lists of one operation from what the operation has read and written.
// Helm lists the Secrets of a release at every step, and the API server may take a tenth of
// a second for each list, since it waits until its cache has caught up.
//
// Every write still goes to the API server, which refuses a revision that another client has
// made meanwhile. After a write that failed the Secrets are read again.
type snapshot struct {
	corev1.SecretInterface

	mu sync.Mutex
	// releases are the Secrets of each release that was listed.
	releases map[string]*listing
}

// listing are all the Secrets of one release, by name.
type listing struct {
	secrets map[string]*core.Secret
	read    time.Time
}

func newSnapshot(secrets corev1.SecretInterface) *snapshot {
	return &snapshot{SecretInterface: secrets, releases: map[string]*listing{}}
}

// setEmpty notes that a release has no Secrets.
func (s *snapshot) setEmpty(release string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.releases[release] = &listing{secrets: map[string]*core.Secret{}, read: time.Now()}
}

// List lists Secrets as the API server does, from memory if those of the release are known.
func (s *snapshot) List(ctx context.Context, how metav1.ListOptions) (*core.SecretList, error) {
	release, isWhole, err := releaseOf(how.LabelSelector)
	if err != nil {
		return nil, err
	}
	if how.Continue == "" {
		if known := s.answer(release, how.LabelSelector); known != nil {
			return known, nil
		}
	}
	began := time.Now()
	list, err := s.SecretInterface.List(ctx, how)
	if err == nil && isWhole && how.Continue == "" && list.Continue == "" {
		s.keep(release, list.Items, began)
	}
	return list, err
}

// answer is what a selector matches of the Secrets of a release, nil if they are not known.
func (s *snapshot) answer(release, selector string) *core.SecretList {
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

// keep holds the Secrets of a release unless they are large.
func (s *snapshot) keep(release string, secrets []core.Secret, read time.Time) {
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
func (s *snapshot) Create(ctx context.Context, secret *core.Secret, how metav1.CreateOptions) (*core.Secret, error) {
	written, err := s.SecretInterface.Create(ctx, secret, how)
	s.note(secret, written, err)
	return written, err
}

// Update updates a Secret.
func (s *snapshot) Update(ctx context.Context, secret *core.Secret, how metav1.UpdateOptions) (*core.Secret, error) {
	written, err := s.SecretInterface.Update(ctx, secret, how)
	s.note(secret, written, err)
	return written, err
}

// Delete deletes a Secret.
func (s *snapshot) Delete(ctx context.Context, name string, how metav1.DeleteOptions) error {
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

// note holds what was written. A large Secret, and what came of a write that failed, is read
// again when it is needed.
func (s *snapshot) note(asked, written *core.Secret, err error) {
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

// releaseOf names the release whose Secrets a selector asks for, and reports whether it asks
// for all of them.
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
