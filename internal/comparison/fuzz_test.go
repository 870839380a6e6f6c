package comparison_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/comparison"
)

// FuzzCompare compares any reports of two versions. The result is limited in size, has no difference between a version and
// itself, and contains no content of a Secret.
func FuzzCompare(f *testing.F) {
	const secret = "confidential"
	objects := "apiVersion: v1\nkind: Secret\nmetadata: {name: a, labels: {helm.sh/chart: web-1}}\nstringData: {password: " + secret + "}\n---\n" +
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1}\n"
	f.Add([]byte("a: 1\nb: [1, 2]\n"), []byte("a: {c: 1e400}\nb: ~\n"), []byte(`{"type":"object"}`), []byte(`[{"name":"a:1","detail":{"digest":"x"}},{"name":"a:2"}]`), objects)
	f.Add([]byte("a: &a [*a]\n"), []byte("<<: {a: 1}\n? [b]\n: c\n"), []byte(strings.Repeat("[", 10_000)), []byte(`[{"name":"@"},{"name":":"},{"name":"/:@"}]`), "kind: Secret\nmetadata: {name: [x]}\n")
	f.Add([]byte{0xff, 0xfe}, []byte("a.b: 1\na: {b: 2}\n"), []byte(`{"a":1}{"a":2}`), []byte(`[{"name":"\u202e","detail":{"platforms":[{"size":-9223372036854775808}]}}]`), "---\n---\n- a\n")
	f.Fuzz(func(t *testing.T, values, otherValues, schema, images []byte, objects string) {
		g := NewWithT(t)
		from := comparison.Reports{Values: values, Schema: schema, Images: images, Objects: []byte(objects)}
		to := comparison.Reports{Values: otherValues, Schema: images, Images: schema, Objects: []byte(strings.Replace(objects, "web", "wiki", 1))}
		found := comparison.Compare(t.Context(), from, to)
		for _, listed := range []int{len(found.Values.Listed), len(found.Images.Listed), len(found.Objects.Listed)} {
			g.Expect(listed).To(BeNumerically("<=", comparison.MaxListed))
		}
		for _, change := range found.Values.Listed {
			g.Expect(len(change.Path) + len(change.Before) + len(change.After)).To(BeNumerically("<", 1200))
			g.Expect(utf8.ValidString(change.Path + change.Before + change.After)).To(BeTrue())
		}
		if strings.Count(objects, secret) == 1 && strings.Contains(objects, "stringData: {password: "+secret+"}") && strings.HasPrefix(objects, "apiVersion: v1\nkind: Secret\nmetadata: {") {
			text, err := json.Marshal(found.Objects)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(string(text)).NotTo(ContainSubstring(secret))
		}
		same := comparison.Compare(t.Context(), from, from)
		g.Expect([]int{same.Values.Total, same.Images.Total, same.Objects.Total}).To(HaveEach(0))
		g.Expect(same.Schema.Change).To(BeEmpty())
		notes := comparison.ParseNotes(images, schema)
		g.Expect(len(notes.Changes)).To(BeNumerically("<=", 50))
	})
}
