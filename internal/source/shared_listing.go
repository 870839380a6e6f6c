package source

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/ptr"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
)

const (
	// maxSharedOffers is the maximum number of offers and skipped entries of all listings that are
	// kept. An offer takes about offerBytes, and its presentation counts as further offers.
	maxSharedOffers = 50_000
	offerBytes      = 500
	// maxSharedListings is the maximum number of listings that are kept.
	maxSharedListings = 200
	// maxSharedAge is the time after which a listing that was not used is removed.
	maxSharedAge = 15 * time.Minute
)

// SharedListings keeps the last listings of sources, and archives that other sources still need, so that sources
// with the same configuration read their origin once. It is safe for concurrent use. A nil SharedListings keeps nothing.
//
// A listing is never used without asking the origin: the second source sends a conditional request for
// the listing that the first one has received. Sources with different credentials, certificates,
// filters or address policies do not share a listing, so that a listing reveals nothing to a source
// that could not have received it itself.
type SharedListings struct {
	mu    sync.Mutex
	byKey map[string]*sharedListing
	// order contains the keys, the least recently used one first.
	order  []string
	offers int

	archives sharedArchives
}

// sharedListing is the last listing of a configuration.
type sharedListing struct {
	// busy is taken while the origin is read.
	busy    chan struct{}
	listing hydrate.Listing
	size    int
	usedAt  time.Time
	// owners are the sources of the configuration, and the times at which they were listed.
	owners map[string]time.Time
}

// sharedSource is a Source that shares its listings and archives.
type sharedSource struct {
	Source
	shared *SharedListings
	key    string
	// owner identifies the MarketSource.
	owner string
}

// shareListings returns a Source that shares its listings with sources of the same configuration. The listings of
// folders and of uploaded charts are not shared: they are read from the volume.
func (s *SharedListings) shareListings(source Source, cfg Config) Source {
	key := listingKey(cfg)
	if s == nil || key == "" {
		return source
	}
	return &sharedSource{Source: source, shared: s, key: key, owner: cfg.PublishedURL}
}

// listingKey returns the digest of all parts of a configuration that a listing depends on, including the
// credentials. It is empty if listings of the type are not shared.
func listingKey(cfg Config) string {
	parts := []any{cfg.MaxVersions, cfg.Include, cfg.Exclude, cfg.Versions, cfg.Prereleases != nil, ptr.Deref(cfg.Prereleases, false), cfg.UserAgent, cfg.Network}
	switch {
	case cfg.Helm != nil:
		parts = append(parts, "helm", *cfg.Helm)
	case cfg.OCI != nil:
		parts = append(parts, "oci", *cfg.OCI)
	case cfg.Git != nil:
		from := *cfg.Git
		from.Checkouts = nil
		parts = append(parts, "git", from)
	case cfg.Olares != nil:
		parts = append(parts, "olares", *cfg.Olares)
	case cfg.Artifact != nil:
		from := *cfg.Artifact
		from.Checkouts = nil
		parts = append(parts, "artifact", from)
	default:
		return ""
	}
	return chart.Digest(fmt.Appendf(nil, "%q", parts))
}

// List reads the origin, or waits until another source with the same configuration has read it and asks
// whether it has changed since then.
func (s *sharedSource) List(ctx context.Context, since hydrate.Cursor) (hydrate.Listing, error) {
	entry := s.shared.findListing(s.key, s.owner)
	if err := takeSlot(ctx, entry.busy); err != nil {
		return hydrate.Listing{}, err
	}
	defer func() { <-entry.busy }()
	known := entry.listing
	if known.Revision == "" || known.Revision == since.Revision {
		listing, err := s.Source.List(ctx, since)
		s.shared.keepListing(s.key, entry, listing, err)
		return listing, err
	}
	listing, err := s.Source.List(ctx, hydrate.Cursor{Revision: known.Revision, ETag: known.ETag, Complete: since.Complete})
	if err != nil || !listing.NotModified {
		s.shared.keepListing(s.key, entry, listing, err)
		return listing, err
	}
	known.ETag = listing.ETag
	known.Apps, known.Skipped = slices.Clone(known.Apps), slices.Clone(known.Skipped)
	return known, nil
}

// findListing returns the entry of a key, and marks it as the most recently used one, by a source.
func (s *SharedListings) findListing(key, owner string) *sharedListing {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	entry, ok := s.byKey[key]
	if !ok {
		if s.byKey == nil {
			s.byKey = map[string]*sharedListing{}
		}
		entry = &sharedListing{busy: make(chan struct{}, 1), owners: map[string]time.Time{}}
		s.byKey[key] = entry
	}
	entry.usedAt, entry.owners[owner] = now, now
	maps.DeleteFunc(entry.owners, func(_ string, listed time.Time) bool { return now.Sub(listed) > maxSharedAge })
	s.order = append(slices.DeleteFunc(s.order, func(have string) bool { return have == key }), key)
	s.removeOldest(now)
	return entry
}

// listOtherOwners returns the sources that have listed the same configuration as a source within maxSharedAge.
func (s *SharedListings) listOtherOwners(key, owner string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.byKey[key]
	if entry == nil || entry.owners[owner].IsZero() {
		return nil
	}
	var others []string
	for other, listed := range entry.owners {
		if other != owner && time.Since(listed) <= maxSharedAge {
			others = append(others, other)
		}
	}
	return others
}

// keepListing replaces the listing of an entry. A failure removes nothing, because the next source asks
// again in any case.
func (s *SharedListings) keepListing(key string, entry *sharedListing, listing hydrate.Listing, err error) {
	if err != nil || listing.NotModified {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byKey[key] != entry {
		return // It was removed while the origin was read.
	}
	size := len(listing.Skipped)
	for _, app := range listing.Apps {
		size += 1 + len(app.Offers)
		for _, offer := range app.Offers {
			size += offer.Presentation.Size() / offerBytes
		}
	}
	if size > maxSharedOffers {
		listing, size = hydrate.Listing{}, 0
	}
	s.offers += size - entry.size
	entry.listing, entry.size = listing, size
	s.removeOldest(time.Now())
}

// removeOldest removes listings that were not used for a time, and the least recently used ones if there
// are too many. s.mu must be held.
func (s *SharedListings) removeOldest(now time.Time) {
	for len(s.order) > 1 {
		oldest := s.byKey[s.order[0]]
		if now.Sub(oldest.usedAt) < maxSharedAge && len(s.order) <= maxSharedListings && s.offers <= maxSharedOffers {
			return
		}
		s.offers -= oldest.size
		delete(s.byKey, s.order[0])
		s.order = s.order[1:]
	}
}
