package source

import (
	"bytes"
	"testing"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

var everything = listingOptions{keep: 3}

// FuzzListing reads an index of any bytes. It must return a valid listing or a
// stalled error.
func FuzzListing(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: v1\nentries:\n  a:\n  - name: a\n    version: 1.0.0\n    urls:\n    - u\n    created: 2026-01-02T03:04:05Z\n",
		"apiVersion: v1\nentries:\n  a:\n    - {name: a, version: 1.0.0, urls: [u]}\n",
		"entries:\n  a: &l\n  - <<: &x {name: a}\n    version: 1\n  b: *l\napiVersion: v1\n",
		`{"apiVersion":"v1","entries":{"a":[{"name":"a","version":"1.0.0","urls":["u"]}]}}`,
		"apiVersion: v1\nentries:\n  a:\n  - description: |\n      x\n    name: 'a'\n    version: \"1.0.0\"\n    urls: [u]\n    deprecated: yes\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		selector, err := readIndex(bytes.NewReader(text), everything)
		if err != nil {
			if !outcome.IsStalled(err) {
				t.Fatalf("not stalled: %v", err)
			}
			return
		}
		checkListing(t, selector.toListing("", hydrate.Cursor{}))
	})
}

func checkListing(t *testing.T, list hydrate.Listing) {
	t.Helper()
	for _, app := range list.Apps {
		if checkName(app.Name) != nil || len(app.Offers) == 0 || len(app.Offers) > everything.keep {
			t.Fatalf("app %q has %d offers", app.Name, len(app.Offers))
		}
		for _, offer := range app.Offers {
			if offer.URL == "" || offer.Version == "" {
				t.Fatalf("app %q has the offer %+v", app.Name, offer)
			}
		}
	}
	for _, skipped := range list.Skipped {
		if !outcome.IsStalled(skipped.Err) || len(skipped.Err.Error()) > 1000 {
			t.Fatalf("%q is skipped with %v", skipped.Name, skipped.Err)
		}
	}
}
