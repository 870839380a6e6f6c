package worker_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

func TestPoolDescribesValuePaths(t *testing.T) {
	g := NewWithT(t)
	order := testChart{files: map[string]string{"values.yaml": "image: {tag: a}\n"}}.newPreparation(t)
	order.ValuePaths = [][]string{{"image", "tag"}, {"image", "digest"}}
	got, err := newPool(t, nil).Prepare(t.Context(), order)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got.ValuePaths).To(Equal([]hydrate.ValuePath{{Known: 2, IsOpen: true}, {Known: 1}}))
}
