package worker_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/worker"
)

func TestTemplatesLookUp(t *testing.T) {
	var asked []hydrate.LookupQuery
	there := func(_ context.Context, query hydrate.LookupQuery) (map[string]any, error) {
		asked = append(asked, query)
		switch query.Name {
		case "there":
			return map[string]any{"data": map[string]any{"key": "value"}}, nil
		case "":
			return map[string]any{"items": []any{map[string]any{"metadata": map[string]any{"name": "one"}}}}, nil
		}
		return nil, nil
	}
	g := NewWithT(t)
	p := newPool(t, func(p *worker.Pool) { p.Workers = 1 })
	c := templateChart(`kind: A
one: {{ (lookup "v1" "Secret" "team" "there").data.key }}
none: {{ lookup "v1" "Secret" "team" "absent" | len }}
all: {{ range (lookup "apps/v1" "Deployment" "" "").items }}{{ .metadata.name }}{{ end }}
`)
	c.lookup = there
	unit, err := renderChart(t.Context(), t, p, c)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(unit.Documents[0].Text).To(Equal("kind: A\none: value\nnone: 0\nall: one"))
	g.Expect(unit.Lookups).To(Equal(3))
	g.Expect(asked).To(Equal([]hydrate.LookupQuery{
		{APIVersion: "v1", Kind: "Secret", Namespace: "team", Name: "there"},
		{APIVersion: "v1", Kind: "Secret", Namespace: "team", Name: "absent"},
		{APIVersion: "apps/v1", Kind: "Deployment"},
	}))

	c.lookup = nil
	c.files = map[string]string{"templates/a.yaml": `kind: A{{ lookup "v1" "Secret" "a" "b" | len }}`}
	unit, err = renderChart(t.Context(), t, p, c)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(unit.Documents[0].Text).To(Equal("kind: A0"), "without answers there are no objects")
}

func TestLookupsAreBounded(t *testing.T) {
	down := errors.New("the API server is down")
	big := map[string]any{"data": strings.Repeat("x", 3<<20)}
	for _, c := range []struct {
		why, template string
		answer        hydrate.Lookup
		reason, want  string
	}{
		{"more questions than are answered", `{{ range until 201 }}{{ lookup "v1" "Secret" "a" "b" | len }}{{ end }}`,
			func(context.Context, hydrate.LookupQuery) (map[string]any, error) { return nil, nil },
			v1alpha1.ReasonLimitExceeded, "lookup Secret a/b: the templates of the app ask for more than 200 objects"},
		{"more bytes than are sent", `{{ range until 4 }}{{ lookup "v1" "Secret" "a" "" | len }}{{ end }}`,
			func(context.Context, hydrate.LookupQuery) (map[string]any, error) { return big, nil },
			v1alpha1.ReasonLimitExceeded, "lookup Secret a/list: the templates of the app ask for more than 8 MiB"},
		{"an answer that is not available", `{{ lookup "v1" "Secret" "a" "b" | len }}`,
			func(context.Context, hydrate.LookupQuery) (map[string]any, error) { return nil, down },
			"", "lookup Secret a/b: the API server is down"},
		{"what is not allowed", `{{ lookup "v1" "Secret" "" "b" | len }}`,
			func(context.Context, hydrate.LookupQuery) (map[string]any, error) {
				return nil, outcome.Stalled(v1alpha1.ReasonPermissionDenied, errors.New("no"))
			},
			v1alpha1.ReasonPermissionDenied, "lookup Secret b: no"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			p := newPool(t, func(p *worker.Pool) { p.Workers = 1 })
			asking := templateChart(c.template)
			asking.lookup = c.answer
			_, err := renderChart(t.Context(), t, p, asking)
			g.Expect(err).To(MatchError(c.want))
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
			g.Expect(outcome.IsStalled(err)).To(Equal(c.reason != ""))
			g.Expect(renderChart(t.Context(), t, p, withValue(1))).NotTo(BeZero(), "the worker goes on")
		})
	}
}
