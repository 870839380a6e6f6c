package source

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

// TestKeptVersions offers versions oldest first and newest first, since an index may
// have them in any order.
func TestKeptVersions(t *testing.T) {
	for _, c := range []struct {
		why     string
		keep    int
		offered string
		want    string
	}{
		{"the newest", 3, "1.0.0 1.1.0 1.2.0 1.3.0", "1.3.0 1.2.0 1.1.0"},
		{"fewer than may be kept", 3, "1.0.0 1.1.0-rc.1", "1.1.0-rc.1 1.0.0"},
		{"prereleases above the newest stable version", 3, "1.2.0 1.3.0 1.4.0-beta.1 1.4.0-beta.2 1.4.0-rc.1 1.4.0-rc.2", "1.4.0-rc.2 1.4.0-rc.1 1.3.0"},
		{"one version, with a prerelease above", 1, "1.3.0 1.4.0-rc.1", "1.3.0"},
		{"one version, and nothing but prereleases", 1, "1.4.0-rc.1 1.4.0-rc.2", "1.4.0-rc.2"},
		{"nothing but prereleases", 2, "0.1.0-a 0.1.0-b 0.1.0-c", "0.1.0-c 0.1.0-b"},
		{"prereleases between stable versions", 3, "1.0.0 2.0.0-a 2.0.0-b 2.0.0 3.0.0-a", "3.0.0-a 2.0.0 2.0.0-b"},
		{"a build is no prerelease", 1, "1.3.0+build.7 1.4.0-rc.1+build.8", "1.3.0+build.7"},
		{"a nightly of the next version, every day", 2, "1.0.0 1.1.0-20260101 1.1.0-20260102 1.1.0-20260103", "1.1.0-20260103 1.0.0"},
		{"a version with a v and without a patch", 2, "v1.3 1.4.0-a 1.4.0-b 1.4.0-c", "1.4.0-c v1.3"},
	} {
		t.Run(c.why, func(t *testing.T) {
			versions := strings.Fields(c.offered)
			for _, order := range [][]string{versions, reversed(versions)} {
				shelf := newShelf(selection{keep: c.keep}, "")
				for _, version := range order {
					NewWithT(t).Expect(shelf.add("web", entry{name: "web", version: version, url: "u"})).To(Succeed())
				}
				var got []string
				for _, offer := range shelf.listing("", hydrate.Mark{}).Apps[0].Offers {
					got = append(got, offer.Version)
				}
				NewWithT(t).Expect(strings.Join(got, " ")).To(Equal(c.want))
			}
		})
	}
}

func reversed(list []string) []string {
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
		{"each complaint once", "  web:\n" + good + "  -\n  - {version: 2.0.0, urls: [u]}\n  - {name: web, urls: [u]}\n  - {name: web, version: latest, urls: [u]}\n  - {name: web, version: 3.0.0}\n", 5,
			[]string{`web: read entry: not a mapping of keys to values; version "2.0.0" bears the name ""; version is empty; version "latest" is not a semantic version; version "3.0.0": no URL is given`}},
		{"equal complaints together", "  web:\n" + good + "  -\n  - null\n  - 7\n", 3, []string{"web: read entry: not a mapping of keys to values (3 entries)"}},
		{"apps apart", "  a:\n  - null\n  b:\n  - null\n  - null\n", 3,
			[]string{"a: read entry: not a mapping of keys to values", "b: read entry: not a mapping of keys to values (2 entries)"}},
		{"in the style of JSON", "  web: [null, {name: web, version: x, urls: [u]}]\n", 2,
			[]string{`web: read entry: not a mapping of keys to values; version "x" is not a semantic version`}},
		{"no more than a few", "  web:\n" + repeat(30, "  - {name: web, version: x%d, urls: [u]}\n"), 30, []string{"web: " +
			strings.TrimSuffix(repeat(10, `version "x%d" is not a semantic version; `), "; ") + "; and 20 more"}},
		{"YAML that is broken, by its line in the index", "  web:\n" + good + "  - name: web\n    version: 2.0.0\n    urls: [u}\n  z:\n" + strings.ReplaceAll(good, "web", "z"), 1,
			[]string{`web: read entry: not YAML: line 7: "," or "]" is expected before this line; close the list in brackets`}},
		{"an app that is one space too far right, and so in the entry before", "  web:\n" + good + "  b:\n  - name: b\n    urls: [u]\n   c:\n   - name: c\n", 1,
			[]string{"b: read entry: not YAML: line 8: a list item (\"- \") is expected here; check the indentation"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			shelf, err := readIndex(strings.NewReader("apiVersion: v1\nentries:\n"+c.entries), everything)
			g.Expect(err).NotTo(HaveOccurred())
			list := shelf.listing("", hydrate.Mark{})
			var got []string
			for _, skipped := range list.Skipped {
				got = append(got, skipped.Name+": "+skipped.Err.Error())
			}
			g.Expect(got).To(Equal(c.want))
			g.Expect(list.SkippedEntries).To(Equal(c.count))
			g.Expect(list.Incomplete).To(Equal(strings.Contains(c.want[0], "not YAML")), "an app may be hidden in what is no YAML")
		})
	}
}

func repeat(n int, format string) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, format, i)
	}
	return text.String()
}

func TestUnwantedApps(t *testing.T) {
	names, err := newFilter([]string{"none"}, nil)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	const entry = `{"name":"%[1]s","version":"1.0.0","urls":["u"]}`
	for style, text := range map[string]string{
		"a stream":    "apiVersion: v1\nentries:\n  a:\n  - name: a\n  b:\n  - name: b\n",
		"as a whole":  "apiVersion: v1\nentries: {a: [{name: a}], b: [{name: b}, {name: b}]}\n",
		"JSON values": `{"apiVersion":"v1","entries":{"a":[` + fmt.Sprintf(entry, "a") + `],"b":[` + fmt.Sprintf(entry+","+entry, "b") + `]}}`,
	} {
		t.Run(style, func(t *testing.T) {
			g := NewWithT(t)
			shelf, err := readIndex(strings.NewReader(text), selection{names: names, keep: 3})
			g.Expect(err).NotTo(HaveOccurred())
			list := shelf.listing("", hydrate.Mark{})
			g.Expect(list.Apps).To(BeEmpty())
			g.Expect(list.Unwanted).To(Equal(2))
		})
	}
}

// TestLineOfAFaultInAnIndex breaks an index in ways of which a reader has to know the
// line.
func TestLineOfAFaultInAnIndex(t *testing.T) {
	const head = "apiVersion: v1\nentries:\n"
	const good = "  web:\n  - name: web\n    version: 1.0.0\n    urls: [u]\n"
	for _, c := range []struct {
		why  string
		text string
		want string
	}{
		{"an item one space too far left", head + "  bad:\n   - name: bad\n     version: 1.0.0\n     urls: [u]\n  - name: bad\n    version: 0.9.0\n" + good, "line 7: a key is expected here"},
		{"the same in the last app", head + good + "  bad:\n   - name: bad\n  - name: bad\n", "line 9: a key is expected here"},
		{"the name of an app without a colon", head + good + "  bad\n  - name: bad\n", `line 7: a ":" is missing`},
		{"an index in JSON", "{\"apiVersion\": \"v1\",\n\"entries\": {\n\"web\": [}\n}", "line 3: a value is expected here"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := readIndex(strings.NewReader(c.text), everything)
			g.Expect(err).To(MatchError(ContainSubstring("read index: not YAML: " + c.want)))
		})
	}
}

func TestURLOfAnEntry(t *testing.T) {
	for _, c := range []struct {
		why  string
		urls []string
		want string
	}{
		{"the first", []string{"a", "b"}, "a"},
		{"the first that is no OCI registry", []string{"oci://r/a", "oci://r/b", "https://h/c", "d"}, "https://h/c"},
		{"an OCI registry, where there is nothing else", []string{"oci://r/a", "oci://r/b"}, "oci://r/a"},
	} {
		for style, format := range map[string]string{
			"plain": "- name: web\n  version: 1.0.0\n  urls:\n  - %s\n", "parsed": "- {name: web, version: 1.0.0, urls: [%s]}\n",
		} {
			t.Run(c.why+" "+style, func(t *testing.T) {
				g := NewWithT(t)
				joint := map[string]string{"plain": "\n  - ", "parsed": ", "}[style]
				chunk := fmt.Appendf(nil, format, strings.Join(c.urls, joint))
				e, ok := readPlain(chunk)
				if style == "parsed" {
					var err error
					e, err = parseEntry(chunk, 1)
					ok = err == nil
				}
				g.Expect(ok).To(BeTrue())
				g.Expect(e.url).To(Equal(c.want))
			})
		}
		NewWithT(t).Expect(jsonEntry{URLs: c.urls}.entry().url).To(Equal(c.want), "JSON: "+c.why)
	}
}
