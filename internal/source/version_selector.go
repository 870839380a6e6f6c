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

// Limits of the error of a skipped app: the number of problems, and the bytes of each.
const (
	maxProblems     = 10
	maxProblemBytes = 200
)

// maxPresentationBytes is the maximum size of the icons and texts of all apps of a source.
const maxPresentationBytes = 8 << 20

// versionSelector receives the entries of a source and selects the versions that are
// listed: the newest versions of each app. It stores no other entries.
type versionSelector struct {
	listingOptions
	// reason is the reason of a skipped entry whose error has none.
	reason  string
	apps    map[string]*appVersions
	skipped map[string]*skippedApp
	// skippedEntries is the number of invalid entries.
	skippedEntries int
	// incomplete is set if a part of the index could not be parsed.
	incomplete bool
	// unwanted contains the hashes of the names of apps that the filter excludes, or of which it excludes a
	// version, to count the apps that are not listed.
	unwanted map[uint64]struct{}
	// presentationBytes is the size of the icons and texts of all apps.
	presentationBytes int
}

// appVersions holds the selected versions of one app.
type appVersions struct {
	withdrawn    bool
	presentation *hydrate.Presentation
	// newest is sorted by version, the newest first.
	newest []rankedOffer
	// stable is the newest version that is not a prerelease, or nil if there is none.
	stable *rankedOffer
}

// skippedApp holds the problems of the invalid entries of an app.
type skippedApp struct {
	// reason is the reason of the first invalid entry.
	reason string
	// problems holds different problems, and counts the number of entries that have each.
	problems []string
	counts   []int
	// omitted is the number of entries whose problem is not in problems.
	omitted int
}

func newVersionSelector(s listingOptions, reason string) *versionSelector {
	return &versionSelector{listingOptions: s, reason: reason, apps: map[string]*appVersions{}, skipped: map[string]*skippedApp{}, unwanted: map[uint64]struct{}{}}
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
		s.Skip(name, fmt.Errorf("version %q has the name %q, which is not the key of the app", text.Truncate(e.Version, maxVersion), text.Truncate(e.Name, maxName)))
		return nil
	}
	r, err := newRankedOffer(e)
	if err != nil {
		s.Skip(name, err)
		return nil
	}
	return s.addVersion(name, r)
}

// addVersion stores an offer that the filter includes if it is one of the newest of its app, or the newest that
// is not a prerelease. Of two entries with the same version the first one is used. An
// entry that was removed from the list was older than the whole list, so a second entry
// with its version is not added again.
func (s *versionSelector) addVersion(name string, r rankedOffer) error {
	if !s.versions.matchesVersion(r.version) {
		s.countUnwanted(name)
		return nil
	}
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

// listOffers returns the newest versions of the app. If all of them are prereleases, the
// newest version that is not a prerelease replaces the last one, because it is the version
// that is installed if a user does not specify one.
func (a *appVersions) listOffers() []hydrate.Offer {
	newest := a.newest
	if last := len(newest) - 1; a.stable != nil && a.stable.compareVersion(newest[last]) < 0 {
		newest = append(slices.Clone(newest[:last]), *a.stable)
	}
	offers := make([]hydrate.Offer, 0, len(newest))
	for _, r := range newest {
		r.offer.Presentation = a.presentation
		offers = append(offers, r.offer)
	}
	return offers
}

var nameHashSeed = maphash.MakeSeed()

// Wants reports whether an app is listed, and counts it if it is not.
func (s *versionSelector) Wants(name string) bool {
	wanted := s.names.matchesName(name)
	if !wanted {
		s.countUnwanted(name)
	}
	return wanted
}

func (s *versionSelector) countUnwanted(name string) {
	if len(s.unwanted) < MaxApps {
		s.unwanted[maphash.String(nameHashSeed, name)] = struct{}{}
	}
}

// markWithdrawn marks an app as withdrawn, unless none of its versions was added.
func (s *versionSelector) markWithdrawn(name string) {
	if app, ok := s.apps[name]; ok {
		app.withdrawn = true
	}
}

// setPresentation sets the icon and the texts of an app, unless none of its versions was added, or all icons and
// texts are larger than maxPresentationBytes.
func (s *versionSelector) setPresentation(name string, presentation *hydrate.Presentation) {
	app, ok := s.apps[name]
	if !ok || s.presentationBytes+presentation.Size() > maxPresentationBytes {
		return
	}
	s.presentationBytes += presentation.Size()
	app.presentation = presentation
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
		have = &skippedApp{reason: outcome.Reason(err, s.reason)}
		s.skipped[name] = have
	}
	have.addProblem(strings.ToValidUTF8(text.Truncate(err.Error(), maxProblemBytes), "\uFFFD"))
}

// addProblem counts an entry with a problem.
func (s *skippedApp) addProblem(problem string) {
	switch at := slices.Index(s.problems, problem); {
	case at >= 0:
		s.counts[at]++
	case len(s.problems) < maxProblems:
		s.problems, s.counts = append(s.problems, problem), append(s.counts, 1)
	default:
		s.omitted++
	}
}

// toListing returns the listing of the selected versions, or a listing that is not modified
// if it has the revision of since.
func (s *versionSelector) toListing(etag string, since hydrate.Cursor) hydrate.Listing {
	for name := range s.apps {
		delete(s.unwanted, maphash.String(nameHashSeed, name))
	}
	list := hydrate.Listing{ETag: etag, SkippedEntries: s.skippedEntries, Unwanted: len(s.unwanted), Incomplete: s.incomplete}
	for _, name := range slices.Sorted(maps.Keys(s.apps)) {
		app := s.apps[name]
		list.Apps = append(list.Apps, hydrate.App{Name: name, Withdrawn: app.withdrawn, Offers: app.listOffers()})
	}
	for name, skipped := range s.skipped {
		list.Skipped = append(list.Skipped, hydrate.InvalidEntry{Name: name, Err: skipped.toError()})
	}
	slices.SortFunc(list.Skipped, func(a, b hydrate.InvalidEntry) int { return cmp.Compare(a.Name, b.Name) })
	list.Revision = listingRevision(list)
	if list.Revision == since.Revision {
		return hydrate.Listing{Revision: list.Revision, ETag: etag, NotModified: true}
	}
	return list
}

// toError returns one error for all problems.
func (s *skippedApp) toError() error {
	var all []string
	for i, problem := range s.problems {
		if s.counts[i] > 1 {
			problem = fmt.Sprintf("%s (%d entries)", problem, s.counts[i])
		}
		all = append(all, problem)
	}
	if s.omitted > 0 {
		all = append(all, fmt.Sprintf("and %d more", s.omitted))
	}
	return outcome.Stalled(s.reason, errors.New(strings.Join(all, "; ")))
}

// listingRevision returns a digest of a listing. Each text is preceded by its length, so
// that different listings have different digests.
func listingRevision(list hydrate.Listing) string {
	sum := sha256.New()
	for _, app := range list.Apps {
		digestTexts(sum, "app", app.Name, fmt.Sprint(app.Withdrawn))
		for _, o := range app.Offers {
			digestTexts(sum, "offer", o.Version, o.AppVersion, o.URL, o.Digest, fmt.Sprint(o.Created.UnixNano(), o.Deprecated))
			if p := o.Presentation; p != nil {
				digestTexts(sum, "presentation", p.Icon, p.Title, p.Description)
				for _, t := range p.Translations {
					digestTexts(sum, "translation", t.Locale, t.Title, t.Description)
				}
			}
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
