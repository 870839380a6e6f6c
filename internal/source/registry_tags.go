package source

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/utils/lru"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/index"
)

// maxTagAge is the time after which a tag is checked again, although its repository was listed with the
// same tag before. The time of each tag is random, from a half of it, so that few tags are due in one listing.
const maxTagAge = 24 * time.Hour

// tagsByRepository contains the checkedTags of the repositories that were listed last, by repositoryKey. It is shared by all
// sources, because a source is opened for every reconcile.
var tagsByRepository = struct {
	sync.Mutex
	*lru.Cache
}{Cache: lru.New(4_000)}

// repositoryKey identifies a repository of a source. The field listing is the listingKey, so that a source uses no digest
// that another source received with other credentials, or for another selection of versions.
type repositoryKey struct{ listing, repository string }

// checkedTags contains the digests of the tags of a repository that were listed last.
type checkedTags struct {
	mu    sync.Mutex
	byTag map[string]checkedTag
}

type checkedTag struct {
	digest string
	until  time.Time
}

// newestVersions returns the versions that are listed, and whether the filter excludes all versions. Tags that
// are not semantic versions, such as latest and the tags of signatures, are no versions of a chart.
func (s *registrySource) newestVersions(app string, tags []string) (versions []string, isUnwanted bool) {
	selector := newVersionSelector(s.listingOptions, v1alpha1.ReasonInvalidChart)
	for _, tag := range tags {
		version, err := parseVersion(strings.ReplaceAll(tag, "_", "+"))
		if err != nil {
			continue
		}
		offer := rankedOffer{version: version, offer: hydrate.Offer{Version: version.Original()}}
		if err := selector.addVersion(app, offer); err != nil {
			continue // There is one app.
		}
	}
	if selector.apps[app] == nil {
		return nil, len(selector.unwanted) > 0
	}
	for _, offer := range selector.apps[app].listOffers() {
		versions = append(versions, offer.Version)
	}
	return versions, false
}

// versionTag returns the tag of a version: a tag cannot contain the character +.
func versionTag(version string) string { return strings.ReplaceAll(version, "+", "_") }

// findCheckedTags returns the checked tags of a repository.
func (s *registrySource) findCheckedTags(repository name.Repository) *checkedTags {
	key := repositoryKey{s.key, repository.Name()}
	tagsByRepository.Lock()
	defer tagsByRepository.Unlock()
	if known, ok := tagsByRepository.Get(key); ok {
		return known.(*checkedTags)
	}
	tags := &checkedTags{byTag: map[string]checkedTag{}}
	tagsByRepository.Add(key, tags)
	return tags
}

// findDigest returns the digest of a tag, or "" if the tag must be checked.
func (t *checkedTags) findDigest(tag string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.byTag[tag]
	if !time.Now().Before(known.until) {
		return ""
	}
	return known.digest
}

// keepDigest keeps the digest of a tag that was checked.
func (t *checkedTags) keepDigest(tag, digest string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byTag[tag] = checkedTag{digest, time.Now().Add(maxTagAge/2 + rand.N(maxTagAge/2))}
}

// forgetTag specifies that a tag must be checked.
func (t *checkedTags) forgetTag(tag string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byTag, tag)
}

// forgetOtherTags forgets all tags but those that are listed. A tag that was deleted can be pushed again with another chart.
func (t *checkedTags) forgetOtherTags(listed []name.Tag) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := make(map[string]checkedTag, len(listed))
	for _, tag := range listed {
		if known, ok := t.byTag[tag.TagStr()]; ok {
			kept[tag.TagStr()] = known
		}
	}
	t.byTag = kept
}

// readListedTag returns the entry of the chart with a tag. The tag is checked if its digest is not known.
func (s *registrySource) readListedTag(ctx context.Context, known *checkedTags, tag name.Tag) (index.Entry, error) {
	digest := known.findDigest(tag.TagStr())
	if digest == "" {
		var err error
		if digest, err = s.client.readDigest(ctx, tag); err != nil {
			return index.Entry{}, err
		}
		known.keepDigest(tag.TagStr(), digest)
	}
	entry, err := s.client.readChart(ctx, tag, digest)
	s.forgetMovedTag(tag, err)
	return entry, err
}

// forgetMovedTag specifies that a tag must be checked, if an error shows that it was moved: the registry has deleted what the
// tag identified before, or responds with another chart.
func (s *registrySource) forgetMovedTag(tag name.Tag, err error) {
	switch outcome.Reason(err, "") {
	case v1alpha1.ReasonNotFound, v1alpha1.ReasonDigestMismatch:
		s.findCheckedTags(tag.Context()).forgetTag(tag.TagStr())
	}
}
