package source

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/index"
	"github.com/appmarket/operator/internal/text"
)

// Bounds on the complaints about the entries of one app.
const (
	maxProblems     = 10
	maxProblemBytes = 200
)

// shelf takes in entries one by one and holds no more of them than are listed:
// of each app the newest few, sorted, newest first.
type versionSelector struct {
	listingOptions
	// reason is that of an entry that is not usable.
	reason  string
	apps    map[string]*appVersions
	skipped map[string]*skippedEntry
	// skippedEntries counts the entries that are not usable.
	skippedEntries int
	// incomplete says that a part of the index could not be parsed.
	incomplete bool
	// unwanted are the hashes of the names that the filter leaves out, to be counted.
	unwanted map[uint64]struct{}
}

// stock is what is held of one app.
type appVersions struct {
	withdrawn bool
	newest    []rankedOffer
	// stable is the newest version that is no prerelease; nil if there is none.
	stable *rankedOffer
}

// skip is what is wrong with the unusable entries of an app.
type skippedEntry struct {
	// reason is that of the first one.
	reason string
	// complaints are the first different ones, and counts how often each was made.
	problems []string
	counts   []int
	// further counts the entries whose complaint is not held.
	omitted int
}

func newVersionSelector(s listingOptions, reason string) *versionSelector {
	return &versionSelector{listingOptions: s, reason: reason, apps: map[string]*appVersions{}, skipped: map[string]*skippedEntry{}, unwanted: map[uint64]struct{}{}}
}

// Add adds an entry that the source lists under the name of an app.
func (s *versionSelector) Add(name string, e index.Entry) error {
	if e.Removed {
		return nil
	}
	if err := checkName(name); err != nil {
		s.Skip(name, err)
		return nil
	}
	if e.Name != name {
		s.Skip(name, fmt.Errorf("version %q bears the name %q", text.Truncate(e.Version, maxVersion), text.Truncate(e.Name, maxName)))
		return nil
	}
	r, err := newRankedOffer(e)
	if err != nil {
		s.Skip(name, err)
		return nil
	}
	return s.addVersion(name, r)
}

// put keeps r if it is among the newest of its app, or the newest that is no
// prerelease. Of two with one version the first stays: what has left the list was
// older than all that is in it, and so is its double.
func (s *versionSelector) addVersion(name string, r rankedOffer) error {
	app, ok := s.apps[name]
	if !ok {
		if len(s.apps) >= MaxApps {
			return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("the source has more than %d apps", MaxApps))
		}
		app = &appVersions{}
		s.apps[name] = app
	}
	if r.version.Prerelease() == "" && (app.stable == nil || r.compareVersion(*app.stable) > 0) {
		app.stable = &r
	}
	at, found := slices.BinarySearchFunc(app.newest, r, func(have, want rankedOffer) int { return want.compareVersion(have) })
	if found || at >= s.keep {
		return nil
	}
	app.newest = slices.Insert(app.newest, at, r)
	if len(app.newest) > s.keep {
		app.newest = slices.Delete(app.newest, s.keep, len(app.newest))
	}
	return nil
}

// offers are the newest versions of the app. The newest that is no prerelease takes
// the place of the last one where prereleases would leave it out: it is the version
// that a user gets who names none.
func (a *appVersions) listOffers() []hydrate.Offer {
	newest := a.newest
	if last := len(newest) - 1; a.stable != nil && a.stable.compareVersion(newest[last]) < 0 {
		newest = append(slices.Clone(newest[:last]), *a.stable)
	}
	offers := make([]hydrate.Offer, 0, len(newest))
	for _, r := range newest {
		offers = append(offers, r.offer)
	}
	return offers
}

var nameHashSeed = maphash.MakeSeed()

// Wants reports whether an app is listed, and counts it if it is not.
func (s *versionSelector) Wants(name string) bool {
	wanted := s.names.matchesName(name)
	if !wanted && len(s.unwanted) < MaxApps {
		s.unwanted[maphash.String(nameHashSeed, name)] = struct{}{}
	}
	return wanted
}

// withdraw marks an app that was put as no longer offered.
func (s *versionSelector) markWithdrawn(name string) {
	if app, ok := s.apps[name]; ok {
		app.withdrawn = true
	}
}

// Skip records the error of an entry that is not valid. The name may be any text.
func (s *versionSelector) Skip(name string, err error) {
	name = strings.ToValidUTF8(text.Truncate(name, maxName), "\uFFFD")
	s.skippedEntries++
	have, ok := s.skipped[name]
	if !ok {
		if len(s.skipped) >= MaxSkipped {
			return
		}
		have = &skippedEntry{reason: outcome.Reason(err, s.reason)}
		s.skipped[name] = have
	}
	have.addProblem(strings.ToValidUTF8(text.Truncate(err.Error(), maxProblemBytes), "\uFFFD"))
}

func (s *skippedEntry) addProblem(complaint string) {
	switch at := slices.Index(s.problems, complaint); {
	case at >= 0:
		s.counts[at]++
	case len(s.problems) < maxProblems:
		s.problems, s.counts = append(s.problems, complaint), append(s.counts, 1)
	default:
		s.omitted++
	}
}

// listing is what the shelf holds, or that it is what the mark speaks of.
func (s *versionSelector) toListing(etag string, since hydrate.Mark) hydrate.Listing {
	list := hydrate.Listing{ETag: etag, SkippedEntries: s.skippedEntries, Unwanted: len(s.unwanted), Incomplete: s.incomplete}
	for _, name := range slices.Sorted(maps.Keys(s.apps)) {
		app := s.apps[name]
		list.Apps = append(list.Apps, hydrate.App{Name: name, Withdrawn: app.withdrawn, Offers: app.listOffers()})
	}
	for name, skipped := range s.skipped {
		list.Skipped = append(list.Skipped, hydrate.Skipped{Name: name, Err: skipped.toError()})
	}
	slices.SortFunc(list.Skipped, func(a, b hydrate.Skipped) int { return cmp.Compare(a.Name, b.Name) })
	list.Revision = listingRevision(list)
	if list.Revision == since.Revision {
		return hydrate.Listing{Revision: list.Revision, ETag: etag, NotModified: true}
	}
	return list
}

func (s *skippedEntry) toError() error {
	var all []string
	for i, complaint := range s.problems {
		if s.counts[i] > 1 {
			complaint = fmt.Sprintf("%s (%d entries)", complaint, s.counts[i])
		}
		all = append(all, complaint)
	}
	if s.omitted > 0 {
		all = append(all, fmt.Sprintf("and %d more", s.omitted))
	}
	return outcome.Stalled(s.reason, errors.New(strings.Join(all, "; ")))
}

// revision digests all that a listing says. Each text has its length before it,
// so that no two listings are the same bytes.
func listingRevision(list hydrate.Listing) string {
	sum := sha256.New()
	for _, app := range list.Apps {
		digestTexts(sum, "app", app.Name, fmt.Sprint(app.Withdrawn))
		for _, o := range app.Offers {
			digestTexts(sum, "offer", o.Version, o.AppVersion, o.URL, o.Digest, fmt.Sprint(o.Created.UnixNano(), o.Deprecated))
		}
	}
	digestTexts(sum, "counts", fmt.Sprint(list.SkippedEntries, list.Unwanted))
	for _, skipped := range list.Skipped {
		digestTexts(sum, "skipped", skipped.Name, skipped.Err.Error())
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

func digestTexts(sum hash.Hash, texts ...string) {
	var length [8]byte
	for _, text := range texts {
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		sum.Write(length[:])
		sum.Write([]byte(text))
	}
}
