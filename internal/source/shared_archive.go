package source

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
)

// maxSharedArchives is the maximum number of archives that are kept, and maxSharedArchiveBytes their maximum size in
// total.
const maxSharedArchives, maxSharedArchiveBytes = 1000, 32 << 20

// sharedArchives keeps archives that one source has fetched for other sources with the same configuration, so
// that each of them takes it once. A source that fetches an archive again, for example because its copy is
// damaged, reads the origin.
//
// The sources have listed the same origin with the same credentials, and each of their listings contains the
// archive with its digest, so that no source receives content that it could not have fetched itself.
type sharedArchives struct {
	mu    sync.Mutex
	byKey map[archiveKey]*sharedArchive
	// order contains the keys of archives that are kept, the oldest first.
	order []archiveKey
	bytes int
}

// archiveKey identifies an archive of a configuration.
type archiveKey struct{ listing, url, digest string }

// sharedArchive is an archive, or one that is being fetched.
type sharedArchive struct {
	// busy is taken while the archive is fetched.
	busy chan struct{}
	// users is the number of calls that use busy.
	users   int
	archive []byte
	// waiting are the sources that can take the archive.
	waiting []string
	// expiry removes the archive after maxSharedAge.
	expiry *time.Timer
}

// Fetch fetches the archive of an offer, or takes it if another source has fetched it.
func (s *sharedSource) Fetch(ctx context.Context, offer hydrate.Offer) (hydrate.ChartContent, error) {
	others := s.shared.listOtherOwners(s.key, s.owner)
	if offer.Digest == "" || len(others) == 0 {
		return s.Source.Fetch(ctx, offer)
	}
	key := archiveKey{s.key, offer.URL, offer.Digest}
	kept, done := s.shared.archives.useArchive(key)
	defer done()
	if err := takeSlot(ctx, kept.busy); err != nil {
		return hydrate.ChartContent{}, err
	}
	defer func() { <-kept.busy }()
	if archive := s.shared.archives.takeArchive(key, s.owner); archive != nil {
		return hydrate.ChartContent{Archive: archive}, nil
	}
	content, err := s.Source.Fetch(ctx, offer)
	if err == nil && len(content.Archive) > 0 && chart.Digest(content.Archive) == offer.Digest {
		s.shared.archives.keepArchive(key, content.Archive, others)
	}
	return content, err
}

// useArchive returns the archive of a key, which may have no content, and a function that must be called at the end.
func (a *sharedArchives) useArchive(key archiveKey) (*sharedArchive, func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := a.byKey[key]
	if found == nil {
		found = &sharedArchive{busy: make(chan struct{}, 1)}
		if a.byKey == nil {
			a.byKey = map[archiveKey]*sharedArchive{}
		}
		a.byKey[key] = found
	}
	found.users++
	return found, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if found.users--; found.users == 0 && found.archive == nil {
			delete(a.byKey, key)
		}
	}
}

// takeArchive returns the content of an archive if the source has not taken it yet, and nil otherwise.
func (a *sharedArchives) takeArchive(key archiveKey, owner string) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := a.byKey[key]
	at := slices.Index(kept.waiting, owner)
	if at < 0 {
		return nil
	}
	archive := kept.archive
	if kept.waiting = slices.Delete(kept.waiting, at, at+1); len(kept.waiting) == 0 {
		a.removeArchive(key)
	}
	return archive
}

// keepArchive keeps the content of an archive for sources, for a time.
func (a *sharedArchives) keepArchive(key archiveKey, archive []byte, owners []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.removeArchive(key)
	kept := a.byKey[key]
	kept.archive, kept.waiting = archive, owners
	kept.expiry = time.AfterFunc(maxSharedAge, func() { a.expireArchive(key) })
	a.order = append(a.order, key)
	a.bytes += len(archive)
	for a.bytes > maxSharedArchiveBytes || len(a.order) > maxSharedArchives {
		a.removeArchive(a.order[0])
	}
}

// expireArchive removes an archive that was kept for a time.
func (a *sharedArchives) expireArchive(key archiveKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byKey[key] != nil {
		a.removeArchive(key)
	}
}

// removeArchive removes the content of an archive. a.mu must be held.
func (a *sharedArchives) removeArchive(key archiveKey) {
	kept := a.byKey[key]
	if kept.archive == nil {
		return
	}
	kept.expiry.Stop()
	a.bytes -= len(kept.archive)
	kept.archive, kept.waiting = nil, nil
	a.order = slices.DeleteFunc(a.order, func(have archiveKey) bool { return have == key })
	if kept.users == 0 {
		delete(a.byKey, key)
	}
}
