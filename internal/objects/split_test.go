package objects_test

import (
	"sort"
	"testing"

	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/releaseutil"

	"github.com/appmarket/operator/internal/objects"
)

// splitByHelm splits a text with the functions of Helm.
func splitByHelm(text string) []string {
	byKey := releaseutil.SplitManifests(text)
	keys := make([]string, 0, len(byKey))
	for key := range byKey {
		keys = append(keys, key)
	}
	sort.Sort(releaseutil.BySplitManifestsOrder(keys))
	var documents []string
	for _, key := range keys {
		if byKey[key] != "" {
			documents = append(documents, byKey[key])
		}
	}
	return documents
}

func FuzzSplitDocuments(f *testing.F) {
	for _, text := range []string{
		"", "---", "a: 1", "---\na: 1\n---\nb: 2\n", "a: 1\n--- \n\n---\nb: 2", "a: |\n  ---\n---b: 2", "\n\n---\n---\n---\na: 1",
		"a: 1\n \t\n---\r\nb: 2\n...\n---", "# comment\n---\n# comment\n", "a: 1\u00a0\n---\u2003\nb: 2", "--- # first\na: 1\n----\nb: 2",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		NewWithT(t).Expect(objects.SplitDocuments(text)).To(Equal(splitByHelm(text)))
	})
}
