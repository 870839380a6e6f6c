package helm_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm"
)

// TestNumbersAreThoseOfHelm shows that a number is printed as if it stood in the
// values.yaml of the chart, which Helm itself reads, however it is given.
func TestNumbersAreThoseOfHelm(t *testing.T) {
	s := sandbox(t, func(s *helm.Sandbox) { s.Workers = 1 })
	const template = `kind: {{ .Values.x }} {{ .Values.x | toJson }} {{ .Values.x | toYaml }} {{ .Values.x | int64 }} {{ kindOf .Values.x }}`
	for _, number := range []string{
		"5", "-1", "0.10", "1e3", "0644", "0x1F", "1234567890123", "9007199254740993", "12345678901234567890", "1e21", "1.5e-7", "1_000", `"0.10"`, `"1e3"`,
	} {
		t.Run(number, func(t *testing.T) {
			g := NewWithT(t)
			text := []byte("x: " + number + "\n")
			want, err := helm.Engine{}.Render(t.Context(), unit(map[string]string{"values.yaml": string(text), "templates/a.yaml": template}))
			g.Expect(err).NotTo(HaveOccurred())

			given := unit(map[string]string{"templates/a.yaml": template})
			given.Values, err = hydrate.DecodeValues(text)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(helm.Engine{}.Render(t.Context(), given)).To(Equal(want), "as values")
			g.Expect(s.Render(t.Context(), given)).To(Equal(want), "as values, to a worker")

			merged, err := hydrate.MergeValues(nil, given.Values)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(helm.Engine{}.Render(t.Context(), unit(map[string]string{"values.yaml": string(merged), "templates/a.yaml": template}))).To(Equal(want), "as parameters")
		})
	}
}
