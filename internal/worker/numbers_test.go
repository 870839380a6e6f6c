package worker_test

import (
	"testing"

	"github.com/appmarket/operator/internal/values"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/worker"
)

// TestNumbersAreThoseOfHelm shows that a number from any source is rendered in the same way
// as a number in values.yaml, which Helm itself parses.
func TestNumbersAreThoseOfHelm(t *testing.T) {
	p := newPool(t, func(p *worker.Pool) { p.Workers = 1 })
	const template = "kind: A\ntext: |\n  {{ .Values.x }} {{ .Values.x | toJson }} {{ .Values.x | toYaml }} {{ .Values.x | int64 }} {{ kindOf .Values.x }}"
	rendered := func(g Gomega, with hydrate.Worker, c testChart) string {
		unit, err := renderChart(t.Context(), t, with, c)
		g.Expect(err).NotTo(HaveOccurred())
		return unit.Documents[0].Text
	}
	for _, number := range []string{
		"5", "-1", "0.10", "1e3", "0644", "0x1F", "1234567890123", "9007199254740993", "12345678901234567890", "1e21", "1.5e-7", "1_000", `"0.10"`, `"1e3"`,
	} {
		t.Run(number, func(t *testing.T) {
			g := NewWithT(t)
			text := "x: " + number + "\n"
			want := rendered(g, inProcess, testChart{files: map[string]string{"values.yaml": text, "templates/a.yaml": template}})

			decoded, err := values.Decode([]byte(text))
			g.Expect(err).NotTo(HaveOccurred())
			given := testChart{files: map[string]string{"templates/a.yaml": template}, values: decoded}
			g.Expect(rendered(g, inProcess, given)).To(Equal(want), "as values")
			g.Expect(rendered(g, p, given)).To(Equal(want), "as values, to a worker")

			merged, err := values.MergeText(nil, decoded)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(rendered(g, p, testChart{files: map[string]string{"values.yaml": string(merged), "templates/a.yaml": template}})).To(Equal(want), "as parameters")
		})
	}
}
