package source

import (
	"bytes"
	"strings"
	"testing"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// FuzzIndex asks of any bytes: reading them ends, with a listing that keeps its
// promises or a stalled error; and what is read as a stream is what the YAML
// parser reads.
func FuzzIndex(f *testing.F) {
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
		shelf, err := readIndex(bytes.NewReader(text), everything)
		if err != nil {
			if !outcome.IsStalled(err) {
				t.Fatalf("not stalled: %v", err)
			}
			return
		}
		list := shelf.listing("", hydrate.Mark{})
		checkListing(t, list)
		if isLax(text) {
			return
		}
		whole := newShelf(everything, v1alpha1.ReasonInvalidIndex)
		if err := readWhole(text, whole); err != nil {
			return
		}
		if a, b := strings.Join(texts(list), "\n"), strings.Join(texts(whole.listing("", hydrate.Mark{})), "\n"); a != b {
			t.Fatalf("read as a stream:\n%s\nread as a whole:\n%s", a, b)
		}
	})
}

// isLax reports whether a text may be one that the YAML parser accepts though
// YAML forbids it: quotes and brackets that go on at the left of their key. It
// also sorts out what the parser sees another line end in.
func isLax(text []byte) bool {
	return bytes.ContainsAny(text, "'\"[]{}\u0085\u2028\u2029") || bytes.HasPrefix(bytes.TrimSpace(text), []byte("{"))
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
