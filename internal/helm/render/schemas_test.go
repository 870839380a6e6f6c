package render_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/outcome"
)

// helmRefuses reports whether Helm rejects the values.
func helmRefuses(t *testing.T, in hydrate.RenderInput) bool {
	t.Helper()
	g := NewWithT(t)
	var files []*loader.BufferedFile
	for _, f := range in.Files {
		files = append(files, &loader.BufferedFile{Name: f.Name, Data: f.Data})
	}
	loaded, err := loader.LoadFiles(files)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(chartutil.ProcessDependenciesWithMerge(loaded, in.Values)).To(Succeed())
	_, err = chartutil.ToRenderValues(loaded, in.Values, chartutil.ReleaseOptions{}, nil)
	return err != nil
}

// TestEngineChecksSchemas checks that the same schemas apply as in Helm, and that errors contain
// the path in the values of the app.
func TestEngineChecksSchemas(t *testing.T) {
	const (
		head   = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
		db     = "apiVersion: v2\nname: db\nversion: 1.0.0\n"
		strict = `{"type": "object", "required": ["password"], "properties": {"password": {"type": "string"}}}`
		says   = "values do not match values.schema.json"
	)
	type m = map[string]any
	withDB := func(dependency string, more map[string]string) map[string]string {
		files := map[string]string{
			"Chart.yaml":                   head + "dependencies:\n- {name: db, version: 1.0.0" + dependency + "}\n",
			"charts/db/Chart.yaml":         db,
			"charts/db/values.schema.json": strict,
		}
		for name, text := range more {
			files[name] = text
		}
		return files
	}
	for _, c := range []struct {
		why    string
		files  map[string]string
		values m
		want   string
	}{
		{"the chart's own", map[string]string{"values.schema.json": strict}, nil, says + ": password: Required value"},
		{"of a dependency", withDB("", nil), nil, says + ` of chart "db": db.password: Required value`},
		{"of a dependency that Chart.yaml does not name", map[string]string{"charts/db/Chart.yaml": db, "charts/db/values.schema.json": strict}, nil, says + ` of chart "db": db.password: Required value`},
		{"of a dependency that is given its values", withDB("", nil), m{"db": m{"password": "x"}}, ""},
		{"of a dependency that has its values", withDB("", map[string]string{"charts/db/values.yaml": "password: x\n"}), nil, ""},
		{"a default of a dependency that null removes", withDB("", map[string]string{"charts/db/values.yaml": "password: x\n"}), m{"db": m{"password": nil}}, says + ` of chart "db": db.password: Required value`},
		{"not of one that a condition turns off", withDB(", condition: db.enabled", map[string]string{"values.yaml": "db: {enabled: false}\n"}), nil, ""},
		{"of one that a condition turns on", withDB(", condition: db.enabled", map[string]string{"values.yaml": "db: {enabled: false}\n"}), m{"db": m{"enabled": true}}, says + ` of chart "db": db.password: Required value`},
		{"not of one that a tag turns off", withDB(", tags: [data]", nil), m{"tags": m{"data": false}}, ""},
		{"of one that a condition turns on against a tag", withDB(", tags: [data], condition: wanted", nil), m{"tags": m{"data": false}, "wanted": true}, says + ` of chart "db": db.password: Required value`},
		{"of an alias, by its values", withDB(", alias: store", nil), m{"store": m{"password": "x"}, "db": m{"password": 1}}, ""},
		{"of an alias, against its values", withDB(", alias: store", nil), m{"store": m{"password": 1}, "db": m{"password": "x"}}, says + ` of chart "store": store.password: must be of type string, but is number`},
		{"of each alias of the same chart", withDB(", alias: one}\n- {name: db, version: 1.0.0, alias: two", nil), m{"one": m{"password": "x"}}, says + ` of chart "two": two.password: Required value`},
		{"with what is imported from a dependency", withDB(", import-values: [{child: out, parent: in}]", map[string]string{
			"charts/db/values.yaml": "password: x\nout: {port: http}\n",
			"values.schema.json":    `{"properties": {"in": {"properties": {"port": {"type": "integer"}}}}}`,
		}), nil, says + ": in.port: must be of type integer, but is string"},
		{"of a dependency of a dependency", withDB("", map[string]string{
			"charts/db/values.yaml":                    "password: x\n",
			"charts/db/charts/disk/Chart.yaml":         "apiVersion: v2\nname: disk\nversion: 1.0.0\n",
			"charts/db/charts/disk/values.schema.json": `{"properties": {"gib": {"type": "integer"}}}`,
		}), m{"db": m{"disk": m{"gib": "8"}}}, says + ` of chart "db.disk": db.disk.gib: must be of type integer, but is string`},
		{"not of one below a dependency that is off", withDB(", condition: db.enabled", map[string]string{
			"charts/db/charts/disk/Chart.yaml":         "apiVersion: v2\nname: disk\nversion: 1.0.0\n",
			"charts/db/charts/disk/values.schema.json": `{"required": ["gib"]}`,
		}), m{"db": m{"enabled": false}}, ""},
		{"with values for all charts", withDB("", map[string]string{"charts/db/values.schema.json": `{"properties": {"global": {"properties": {"zone": {"type": "string"}}}}}`}), m{"global": m{"zone": 1}}, says + ` of chart "db": db.global.zone: must be of type string, but is number`},
		{"of all charts at once", withDB("", map[string]string{"values.schema.json": `{"required": ["host"]}`}), nil, says + ": host: Required value; " + says + ` of chart "db": db.password: Required value`},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			in := newRenderInput(c.files)
			in.Values = c.values
			_, err := render.Engine{}.Render(t.Context(), in)
			g.Expect(helmRefuses(t, in)).To(Equal(c.want != ""), "Helm thinks otherwise")
			if c.want == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(c.want))
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonSchemaViolation))

			in.Schemas = hydrate.SchemasReported
			out, err := render.Engine{}.Render(t.Context(), in)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(out.Violation).To(Equal(c.want))

			in.Schemas = hydrate.SchemasIgnored
			g.Expect(render.Engine{}.Render(t.Context(), in)).To(HaveField("Violation", BeEmpty()))
		})
	}
}

// TestEngineOfMistypedValues has a string in place of the values of a dependency.
func TestEngineOfMistypedValues(t *testing.T) {
	g := NewWithT(t)
	in := newRenderInput(map[string]string{"charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 1.0.0\n"})
	in.Values = map[string]any{"db": "x"}
	_, err := render.Engine{}.Render(t.Context(), in)
	g.Expect(err).To(MatchError(`db: must be a map of keys to values, since it holds the values of the chart "db"`))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidValues))
}
