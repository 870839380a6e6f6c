package source_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

func TestPresentationOfAppStores(t *testing.T) {
	long := strings.Repeat("é", 3000)
	many := map[string]any{}
	for i := range 51 {
		many[fmt.Sprintf("x-%02d", i)] = "text"
	}
	for _, row := range []struct {
		why     string
		details map[string]any
		want    *hydrate.Presentation
	}{
		{"texts in several languages", map[string]any{
			"icon": "https://cdn.example/web.png", "title": map[string]any{"en-US": " Web ", "zh-CN": "网页"}, "description": map[string]any{"en-US": "Pages.", "de-DE": "Seiten."},
		}, &hydrate.Presentation{Icon: "https://cdn.example/web.png", Title: "Web", Description: "Pages.", Translations: []hydrate.Translation{
			{Locale: "de-DE", Description: "Seiten."}, {Locale: "zh-CN", Title: "网页"},
		}}},
		{"texts without a language", map[string]any{"title": "Web", "description": "Pages."}, &hydrate.Presentation{Title: "Web", Description: "Pages."}},
		{"no texts", map[string]any{"title": nil, "description": nil}, nil},
		{"values of other types", map[string]any{"icon": 7, "title": []any{"Web"}, "description": map[string]any{"en-US": 7, "de-DE": map[string]any{}}}, nil},
		{"the icon of another scheme", map[string]any{"icon": "javascript:alert(1)", "title": nil, "description": nil}, nil},
		{"an icon with credentials", map[string]any{"icon": "https://me:pw@cdn.example/web.png", "title": nil, "description": nil}, nil},
		{"an icon without a server", map[string]any{"icon": "https:web.png", "title": nil, "description": nil}, nil},
		{"a long URL of an icon", map[string]any{"icon": "https://cdn.example/" + long, "title": nil, "description": nil}, nil},
		{"invalid languages", map[string]any{"title": map[string]any{"../x": "y", "": "z"}, "description": nil}, nil},
		{"too many languages", map[string]any{"title": many, "description": nil}, nil},
	} {
		t.Run(row.why, func(t *testing.T) {
			g := NewWithT(t)
			store := startAppStore(t)
			store.AddApp("web", "1.0.0", nil)
			for key, value := range row.details {
				store.Apps["id-web"][key] = value
			}
			listing, err := store.open(t, nil).List(t.Context(), hydrate.Cursor{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(listing.Skipped).To(BeEmpty())
			g.Expect(listing.Apps[0].Offers[0].Presentation).To(Equal(row.want))
		})
	}
}

// TestSizeOfPresentations expects that the texts of an app store are limited, for an app and for all apps, and that a text that
// changes is a change of the listing.
func TestSizeOfPresentations(t *testing.T) {
	g := NewWithT(t)
	store := startAppStore(t)
	texts := map[string]any{}
	for _, locale := range []string{"en-US", "aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh", "ii"} {
		texts[locale] = strings.Repeat("文", 2000)
	}
	for i := range 400 {
		name := fmt.Sprintf("app%03d", i)
		store.AddApp(name, "1.0.0", nil)
		store.Apps["id-"+name]["description"] = texts
	}
	listing, err := store.open(t, nil).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listing.Apps).To(HaveLen(400))
	size, first, last := 0, listing.Apps[0].Offers[0].Presentation, listing.Apps[399].Offers[0].Presentation
	for _, app := range listing.Apps {
		size += app.Offers[0].Presentation.Size()
	}
	g.Expect(size).To(And(BeNumerically(">", 7<<20), BeNumerically("<=", 8<<20)))
	g.Expect([]rune(first.Description)).To(HaveLen(1024))
	g.Expect(first.Translations).To(HaveLen(8))
	g.Expect(last).To(BeNil(), "the limit of all apps is reached")

	store.Apps["id-app000"]["title"], store.Hash = "Other", "other"
	changed, err := store.open(t, nil).List(t.Context(), hydrate.Cursor{Revision: listing.Revision, ETag: listing.ETag})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(changed.NotModified).To(BeFalse())
	g.Expect(changed.Apps[0].Offers[0].Presentation.Title).To(Equal("Other"))
}
