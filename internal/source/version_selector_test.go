package source

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/source/index"
)

// TestKeptVersions adds versions in ascending and in descending order, because an index may
// have any order.
func TestKeptVersions(t *testing.T) {
	for _, c := range []struct {
		why     string
		keep    int
		offered string
		want    string
	}{
		{"the newest", 3, "1.0.0 1.1.0 1.2.0 1.3.0", "1.3.0 1.2.0 1.1.0"},
		{"fewer than the limit", 3, "1.0.0 1.1.0-rc.1", "1.1.0-rc.1 1.0.0"},
		{"prereleases newer than the newest stable version", 3, "1.2.0 1.3.0 1.4.0-beta.1 1.4.0-beta.2 1.4.0-rc.1 1.4.0-rc.2", "1.4.0-rc.2 1.4.0-rc.1 1.3.0"},
		{"one version, and a newer prerelease", 1, "1.3.0 1.4.0-rc.1", "1.3.0"},
		{"one version, and only prereleases", 1, "1.4.0-rc.1 1.4.0-rc.2", "1.4.0-rc.2"},
		{"only prereleases", 2, "0.1.0-a 0.1.0-b 0.1.0-c", "0.1.0-c 0.1.0-b"},
		{"prereleases between stable versions", 3, "1.0.0 2.0.0-a 2.0.0-b 2.0.0 3.0.0-a", "3.0.0-a 2.0.0 2.0.0-b"},
		{"build metadata is not a prerelease", 1, "1.3.0+build.7 1.4.0-rc.1+build.8", "1.3.0+build.7"},
		{"nightly prereleases of the next version", 2, "1.0.0 1.1.0-20260101 1.1.0-20260102 1.1.0-20260103", "1.1.0-20260103 1.0.0"},
		{"a version with v and without patch", 2, "v1.3 1.4.0-a 1.4.0-b 1.4.0-c", "1.4.0-c v1.3"},
	} {
		t.Run(c.why, func(t *testing.T) {
			versions := strings.Fields(c.offered)
			for _, order := range [][]string{versions, reversedCopy(versions)} {
				selector := newVersionSelector(listingOptions{keep: c.keep}, "")
				for _, version := range order {
					NewWithT(t).Expect(selector.Add("web", index.Entry{Name: "web", Version: version, URL: "u"})).To(Succeed())
				}
				var got []string
				for _, offer := range selector.toListing("", hydrate.Cursor{}).Apps[0].Offers {
					got = append(got, offer.Version)
				}
				NewWithT(t).Expect(strings.Join(got, " ")).To(Equal(c.want))
			}
		})
	}
}

func reversedCopy(list []string) []string {
	var out []string
	for _, s := range list {
		out = append([]string{s}, out...)
	}
	return out
}

func TestSkippedEntries(t *testing.T) {
	const good = "  - {name: web, version: 1.0.0, urls: [u]}\n"
	for _, c := range []struct {
		why     string
		entries string
		count   int
		want    []string
	}{
		{"different problems", "  web:\n" + good + "  -\n  - {version: 2.0.0, urls: [u]}\n  - {name: web, urls: [u]}\n  - {name: web, version: latest, urls: [u]}\n  - {name: web, version: 3.0.0}\n", 5,
			[]string{`web: read entry: not a mapping of keys to values; version "2.0.0" has the name "", which is not the key of the app; version is empty; version "latest" is not a semantic version; version "3.0.0": urls is empty`}},
		{"equal problems", "  web:\n" + good + "  -\n  - null\n  - 7\n", 3, []string{"web: read entry: not a mapping of keys to values (3 entries)"}},
		{"two apps", "  a:\n  - null\n  b:\n  - null\n  - null\n", 3,
			[]string{"a: read entry: not a mapping of keys to values", "b: read entry: not a mapping of keys to values (2 entries)"}},
		{"in flow style", "  web: [null, {name: web, version: x, urls: [u]}]\n", 2,
			[]string{`web: read entry: not a mapping of keys to values; version "x" is not a semantic version`}},
		{"many problems", "  web:\n" + formatNumbers(30, "  - {name: web, version: x%d, urls: [u]}\n"), 30, []string{"web: " +
			strings.TrimSuffix(formatNumbers(10, `version "x%d" is not a semantic version; `), "; ") + "; and 20 more"}},
		{"invalid YAML, with its line in the index", "  web:\n" + good + "  - name: web\n    version: 2.0.0\n    urls: [u}\n  z:\n" + strings.ReplaceAll(good, "web", "z"), 1,
			[]string{`web: read entry: invalid YAML: line 7: "," or "]" is expected before this line; close the list in brackets`}},
		{"an app that is indented too deep, so that it belongs to the entry before it", "  web:\n" + good + "  b:\n  - name: b\n    urls: [u]\n   c:\n   - name: c\n", 1,
			[]string{"b: read entry: invalid YAML: line 8: a list item (\"- \") is expected here; check the indentation"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			selector, err := readIndex(strings.NewReader("apiVersion: v1\nentries:\n"+c.entries), everything)
			g.Expect(err).NotTo(HaveOccurred())
			list := selector.toListing("", hydrate.Cursor{})
			var got []string
			for _, skipped := range list.Skipped {
				got = append(got, skipped.Name+": "+skipped.Err.Error())
			}
			g.Expect(got).To(Equal(c.want))
			g.Expect(list.SkippedEntries).To(Equal(c.count))
			g.Expect(list.Incomplete).To(Equal(strings.Contains(c.want[0], "invalid YAML")), "the invalid YAML may contain another app")
		})
	}
}

func formatNumbers(n int, format string) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, format, i)
	}
	return text.String()
}

func TestUnwantedApps(t *testing.T) {
	names, err := newNameFilter([]string{"none"}, nil)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	const entry = `{"name":"%[1]s","version":"1.0.0","urls":["u"]}`
	for style, text := range map[string]string{
		"a stream":    "apiVersion: v1\nentries:\n  a:\n  - name: a\n  b:\n  - name: b\n",
		"as a whole":  "apiVersion: v1\nentries: {a: [{name: a}], b: [{name: b}, {name: b}]}\n",
		"JSON values": `{"apiVersion":"v1","entries":{"a":[` + fmt.Sprintf(entry, "a") + `],"b":[` + fmt.Sprintf(entry+","+entry, "b") + `]}}`,
	} {
		t.Run(style, func(t *testing.T) {
			g := NewWithT(t)
			selector, err := readIndex(strings.NewReader(text), listingOptions{names: names, keep: 3})
			g.Expect(err).NotTo(HaveOccurred())
			list := selector.toListing("", hydrate.Cursor{})
			g.Expect(list.Apps).To(BeEmpty())
			g.Expect(list.Unwanted).To(Equal(2))
		})
	}
}

// TestInvalidEntries lists a valid app after an app with entries that are not valid.
func TestInvalidEntries(t *testing.T) {
	const head = "apiVersion: v1\nentries:\n"
	const good = "  z:\n  - name: z\n    version: 1.0.0\n    urls: [u]\n"
	for _, c := range []struct {
		why   string
		entry string
		want  []string
	}{
		{"names that are not valid for an object", "  Big:\n  - name: Big\n    version: 1.0.0\n    urls: [u]\n  a_b:\n  - name: a_b\n  \"\":\n  - name: \"\"\n  -a:\n  - name: -a\n  a..b:\n  - name: a..b\n  ../x:\n  - name: ../x\n", []string{"z 1.0.0 u", " skipped", "-a skipped", "../x skipped", "Big skipped", "a..b skipped", "a_b skipped"}},
		{"a name that is too long", "  " + strings.Repeat("a", 201) + ":\n  - version: 1.0.0\n", []string{"z 1.0.0 u", strings.Repeat("a", 200) + " skipped"}},
		{"a name that is not its key", "  a:\n  - name: b\n    version: 1.0.0\n    urls: [u]\n", []string{"z 1.0.0 u", "a skipped"}},
		{"not a semantic version", "  a:\n  - name: a\n    version: latest\n    urls: [u]\n  - name: a\n    version: 1.0.0\n    urls: [u]\n  - name: a\n    version: " + strings.Repeat("1", 300) + "\n    urls: [u]\n", []string{"a 1.0.0 u", "z 1.0.0 u", "a skipped"}},
		{"no URL, a URL with a password, an invalid URL, an invalid digest", "  a:\n  - name: a\n    version: 1.0.0\n  - name: a\n    version: 2.0.0\n    urls: ['http://u:p@h/x']\n  - name: a\n    version: 3.0.0\n    urls: ['%zz']\n  - name: a\n    version: 4.0.0\n    urls: [u]\n    digest: abc\n", []string{"z 1.0.0 u", "a skipped"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			selector, err := readIndex(strings.NewReader(head+c.entry+good), everything)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(listingLines(selector.toListing("", hydrate.Cursor{}))).To(Equal(c.want))
		})
	}
}

// listingLines returns the offers and then the skipped apps of a listing.
func listingLines(list hydrate.Listing) []string {
	var all []string
	for _, app := range list.Apps {
		for _, offer := range app.Offers {
			all = append(all, app.Name+" "+offer.Version+" "+offer.URL)
		}
	}
	for _, skipped := range list.Skipped {
		all = append(all, skipped.Name+" skipped")
	}
	return all
}
