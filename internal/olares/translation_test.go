package olares_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/olares"
)

func TestReadTranslation(t *testing.T) {
	for _, c := range []struct {
		why, text string
		want      hydrate.Translation
	}{
		{"the metadata of a file", "metadata:\n  title: 维基\n\n  description: 知识库\nspec:\n  fullDescription: [not, closed\n", hydrate.Translation{Title: "维基", Description: "知识库"}},
		{"a file in flow style", "{metadata: {title: Wiki}}", hydrate.Translation{Title: "Wiki"}},
		{"metadata after other keys", "spec:\n  a: 1\nmetadata:\n  title: Wiki\n", hydrate.Translation{Title: "Wiki"}},
		{"a file without metadata", "spec: {}\n", hydrate.Translation{}},
		{"metadata of another type", "metadata:\n- a\n", hydrate.Translation{}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			got, err := olares.Reader{}.ReadTranslation([]byte(c.text))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal(c.want))
		})
	}
	_, err := olares.Reader{}.ReadTranslation([]byte("metadata: {title: ["))
	NewWithT(t).Expect(err).To(HaveOccurred())
}
