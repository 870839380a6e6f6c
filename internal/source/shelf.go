package source

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// shelf takes in entries one by one and holds no more of them than are listed:
// of each app the newest few, sorted, newest first.
type shelf struct {
	selection
	// reason is that of an entry that is not usable.
	reason  string
	apps    map[string]*stock
	skipped map[string]*skip
}

// stock is what is held of one app.
type stock struct {
	withdrawn bool
	newest    []ranked
}

// skip is what was wrong with the first unusable entry of an app, and how many
// there were.
type skip struct {
	err    error
	reason string
	count  int
}

func newShelf(s selection, reason string) *shelf {
	return &shelf{selection: s, reason: reason, apps: map[string]*stock{}, skipped: map[string]*skip{}}
}

// add takes in an entry that the source lists under a name.
func (s *shelf) add(name string, e entry) error {
	if e.removed {
		return nil
	}
	if err := checkName(name); err != nil {
		s.skip(name, s.reason, err)
		return nil
	}
	if e.name != name {
		s.skip(name, s.reason, fmt.Errorf("version %q bears the name %q", shorten(e.version, maxVersion), shorten(e.name, maxName)))
		return nil
	}
	r, err := e.rank()
	if err != nil {
		s.skip(name, s.reason, err)
		return nil
	}
	return s.put(name, r)
}

// put keeps r if it is among the newest of its app. Of two with one version the
// first stays: what has left the list was older than all that is in it, and so
// is its double.
func (s *shelf) put(name string, r ranked) error {
	app, ok := s.apps[name]
	if !ok {
		if len(s.apps) >= MaxApps {
			return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("the source has more than %d apps", MaxApps))
		}
		app = &stock{}
		s.apps[name] = app
	}
	at, found := slices.BinarySearchFunc(app.newest, r, func(have, want ranked) int { return want.compare(have) })
	if found || at >= s.keep {
		return nil
	}
	app.newest = slices.Insert(app.newest, at, r)
	if len(app.newest) > s.keep {
		app.newest = slices.Delete(app.newest, s.keep, len(app.newest))
	}
	return nil
}

// withdraw marks an app that was put as no longer offered.
func (s *shelf) withdraw(name string) {
	if app, ok := s.apps[name]; ok {
		app.withdrawn = true
	}
}

// skip records that an entry is not usable. The name may be anything.
func (s *shelf) skip(name, reason string, err error) {
	name = strings.ToValidUTF8(shorten(name, maxName), "\uFFFD")
	have, ok := s.skipped[name]
	if !ok {
		if len(s.skipped) >= MaxSkipped {
			return
		}
		have = &skip{err: err, reason: reason}
		s.skipped[name] = have
	}
	have.count++
}

// listing is what the shelf holds, or that it is what the mark speaks of.
func (s *shelf) listing(etag string, since hydrate.Mark) hydrate.Listing {
	list := hydrate.Listing{ETag: etag}
	for _, name := range slices.Sorted(maps.Keys(s.apps)) {
		app := hydrate.App{Name: name, Withdrawn: s.apps[name].withdrawn}
		for _, r := range s.apps[name].newest {
			app.Offers = append(app.Offers, r.offer)
		}
		list.Apps = append(list.Apps, app)
	}
	for name, skipped := range s.skipped {
		list.Skipped = append(list.Skipped, hydrate.Skipped{Name: name, Err: skipped.error()})
	}
	slices.SortFunc(list.Skipped, func(a, b hydrate.Skipped) int { return cmp.Compare(a.Name, b.Name) })
	list.Revision = revision(list)
	if list.Revision == since.Revision {
		return hydrate.Listing{Revision: list.Revision, ETag: etag, NotModified: true}
	}
	return list
}

func (s *skip) error() error {
	err := s.err
	if s.count > 1 {
		err = fmt.Errorf("%w (and %d more)", err, s.count-1)
	}
	return outcome.Stalled(s.reason, err)
}

// revision digests all that a listing says. Each text has its length before it,
// so that no two listings are the same bytes.
func revision(list hydrate.Listing) string {
	sum := sha256.New()
	for _, app := range list.Apps {
		digestTexts(sum, "app", app.Name, fmt.Sprint(app.Withdrawn))
		for _, o := range app.Offers {
			digestTexts(sum, "offer", o.Version, o.AppVersion, o.URL, o.Digest, fmt.Sprint(o.Created.UnixNano(), o.Deprecated))
		}
	}
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
