package plain_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/olares"
)

// smallChart is a chart with one template and the images that it makes a cluster pull.
type smallChart struct {
	name, template string
	images         []string
	// missed are images of the chart that hydration cannot find.
	missed []string
}

// deployment returns a Deployment whose container has additional fields.
func deployment(image, more string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - name: main\n        image: " + image + "\n" + indentText(more, 8)
}

func indentText(text string, spaces int) string {
	if text == "" {
		return ""
	}
	indent := strings.Repeat(" ", spaces)
	return indent + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+indent) + "\n"
}

// object returns an object of a custom kind.
func object(kind, spec string) string {
	return "apiVersion: example.io/v1\nkind: " + kind + "\nmetadata: {name: main}\nspec:\n" + indentText(spec, 2)
}

// hook returns a Job that is a hook.
func hook(event, image string) string {
	return "apiVersion: batch/v1\nkind: Job\nmetadata: {name: hook, annotations: {helm.sh/hook: " + event + "}}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: \"" + image + "\"}]}}}\n"
}

const definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: engines.example.io, annotations: {appmarket.io/image-paths: \"spec.workers[*].program\"}}\nspec: {group: example.io, scope: Namespaced, names: {kind: Engine, plural: engines}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}\n---\n"

var smallCharts = []smallChart{
	{name: "deployment", template: deployment("r.io/web:1", ""), images: []string{"r.io/web:1"}},
	{name: "no-tag", template: deployment("web", ""), images: []string{"docker.io/library/web:latest"}},
	{name: "quoted", template: deployment(`"r.io/web:1"`, ""), images: []string{"r.io/web:1"}},
	{name: "values", template: deployment(`{{ printf "%s:%s" "r.io/web" .Chart.Version }}`, ""), images: []string{"r.io/web:1.0.0"}},
	{name: "flow-style", template: "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: main, image: r.io/web:1}, {name: other, image: r.io/other:1}]}}\n", images: []string{"r.io/other:1", "r.io/web:1"}},
	{name: "json", template: `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"main","image":"r.io/web:1"}]}}`, images: []string{"r.io/web:1"}},
	{name: "anchors", template: "apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {x: &i r.io/web:1}}\nspec: {containers: [{name: main, image: *i}]}\n", images: []string{"r.io/web:1"}},
	{name: "folded", template: deployment(">-\n          r.io/web:1", ""), images: []string{"r.io/web:1"}},
	{name: "init-container", template: strings.Replace(deployment("r.io/web:1", ""), "      containers:", "      initContainers: [{name: setup, image: \"r.io/setup:1\"}]\n      containers:", 1), images: []string{"r.io/setup:1", "r.io/web:1"}},
	{name: "image-volume", template: deployment("r.io/web:1", "") + "      volumes: [{name: data, image: {reference: \"r.io/data:1\"}}]\n", images: []string{"r.io/data:1", "r.io/web:1"}},
	{name: "cron-job", template: "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {schedule: '0 0 * * *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: r.io/job:1}]}}}}}\n", images: []string{"r.io/job:1"}},
	{name: "list", template: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n  spec: {containers: [{name: main, image: r.io/web:1}]}\n", images: []string{"r.io/web:1"}},
	{name: "hook-install", template: hook("pre-install", "r.io/migrate:1"), images: []string{"r.io/migrate:1"}},
	{name: "hook-upgrade", template: deployment("r.io/web:1", "") + "---\n" + hook("pre-upgrade,post-rollback", "r.io/migrate:2"), images: []string{"r.io/migrate:2", "r.io/web:1"}},
	{name: "hook-delete", template: hook("post-delete", "r.io/clean:1"), images: []string{"r.io/clean:1"}},
	{name: "hook-test", template: deployment("r.io/web:1", "") + "---\n" + hook("test", "r.io/probe:1"), images: []string{"r.io/probe:1", "r.io/web:1"}},
	{name: "operator-environment", template: deployment("r.io/op:1", "env:\n- {name: RELATED_IMAGE_DB, value: r.io/db:1}\n- {name: RELATED_IMAGE_CACHE, value: \"r.io/cache:2\"}"), images: []string{"r.io/cache:2", "r.io/db:1", "r.io/op:1"}},
	{name: "environment", template: deployment("r.io/op:1", "env:\n- {name: SIDECAR_IMAGE, value: \"r.io/sidecar:1\"}\n- {name: HOME_PAGE, value: \"r.io/page:8080\"}"), images: []string{"r.io/op:1", "r.io/sidecar:1"}},
	{name: "argument", template: deployment("r.io/op:1", "args: [\"--solver-image=r.io/solver:1\", \"--listen=0.0.0.0:8080\"]"), images: []string{"r.io/op:1", "r.io/solver:1"}},
	{name: "two-arguments", template: deployment("r.io/op:1", "args: [run, --image, r.io/runner:1]"), images: []string{"r.io/op:1", "r.io/runner:1"}},
	{name: "argument-of-another-name", template: deployment("r.io/op:1", "command: [op, \"--reloader=quay.io/p/reloader:v0.7.1\"]"), images: []string{"quay.io/p/reloader:v0.7.1", "r.io/op:1"}},
	{name: "custom-resource", template: object("Database", "image: r.io/db:16"), images: []string{"r.io/db:16"}},
	{name: "custom-resource-parts", template: object("Database", "backup:\n  image: {repository: r.io/backup, tag: '3'}"), images: []string{"r.io/backup:3"}},
	{name: "custom-resource-tag", template: object("Database", "image: r.io/db\ntag: '16'"), images: []string{"r.io/db:16"}},
	{name: "custom-resource-pods", template: object("Rollout", "template: {spec: {containers: [{name: main, image: r.io/web:1}]}}"), images: []string{"r.io/web:1"}},
	{name: "related-images", template: object("ClusterServiceVersion", "relatedImages: [{name: db, image: \"r.io/db:1\"}]"), images: []string{"r.io/db:1"}},
	{name: "declared-by-definition", template: definition + object("Engine", "workers: [{program: r.io/worker}]"), images: []string{"r.io/worker:latest"}},
	{name: "declared-by-config-map", template: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: {appmarket.io/image-paths: data.runner}}\ndata: {runner: 'r.io/runner:1'}\n", images: []string{"r.io/runner:1"}},
	{name: "declared-list", template: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: {appmarket.io/images: 'r.io/a:1, r.io/b:1'}}\ndata: {x: y}\n", images: []string{"r.io/a:1", "r.io/b:1"}},
	{name: "policy", template: "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p}\nspec: {rules: [{name: a, validate: {pattern: {spec: {containers: [{name: '*', image: '!*:latest'}]}}}}]}\n"},
	{name: "example-in-config-map", template: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  example.yaml: |\n    image: r.io/example:1\n"},
	{name: "logo", template: object("Page", "image: logo.png\nheaderImage: https://r.io/header:1.png")},
	{name: "comment", template: deployment("r.io/web:1", "# image: r.io/old:1\nenv: []"), images: []string{"r.io/web:1"}},
	{name: "notes", template: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  README: |\n    Use\n    image: \"r.io/other:2\"\n"},
	{name: "script", template: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {run.sh: \"kubectl run a --image=r.io/started:1\"}\n", missed: []string{"r.io/started:1"}},
}

// score counts images that were found.
type score struct{ right, wrong, missing int }

func (s *score) add(found, want []string) {
	for _, name := range found {
		if slices.Contains(want, name) {
			s.right++
		} else {
			s.wrong++
		}
	}
	for _, name := range want {
		if !slices.Contains(found, name) {
			s.missing++
		}
	}
}

func (s *score) String() string {
	percent := func(part, of int) float64 { return 100 * float64(part) / float64(max(1, of)) }
	return fmt.Sprintf("recall %.1f %%, precision %.1f %%", percent(s.right, s.right+s.missing), percent(s.right, s.right+s.wrong))
}

// TestImagesOfSmallCharts finds the images of charts whose images are known, and prints recall and precision, also
// of the line pattern.
func TestImagesOfSmallCharts(t *testing.T) {
	var ours, pattern score
	for _, c := range smallCharts {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			var found, byLine []string
			worker := hydrate.InProcess{Renderer: render.Engine{}, Reader: olares.Reader{}, Done: func(step hydrate.Name, d *hydrate.Draft) {
				if step == hydrate.StepRenderedChart {
					for name := range findByLine(d.AllDocuments()) {
						byLine = append(byLine, name)
					}
				}
			}}
			d, _, err := worker.Analyze(context.Background(), hydrate.Request{App: c.name, Profile: olares.HelmProfile{}, Offer: hydrate.Offer{Version: "1.0.0"}},
				hydrate.ChartContent{Files: []chart.File{
					{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: " + c.name + "\nversion: 1.0.0\n")}, {Name: "templates/all.yaml", Data: []byte(c.template)},
				}})
			g.Expect(err).NotTo(HaveOccurred())
			for _, image := range d.Images {
				found = append(found, image.Name)
			}
			ours.add(found, append(c.images, c.missed...))
			pattern.add(byLine, append(c.images, c.missed...))
			g.Expect(found).To(Equal(c.images))
		})
	}
	t.Logf("%d charts: structure and conventions: %s; line pattern: %s", len(smallCharts), &ours, &pattern)
}
