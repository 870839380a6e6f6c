package images_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/objects"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

func newDocument(text string) objects.Document {
	return objects.Document{Path: "web/templates/a.yaml", Text: text}
}

// podSpec returns a pod spec with an image in every possible place, indented by indent
// spaces.
func podSpec(indent int) string {
	spec := `containers:
- name: main
  image: nginx:1
  env: [{name: image, value: "not/an:image"}]
- {name: proxy, image: envoy}
initContainers:
- name: setup
  image: busybox:1
ephemeralContainers:
- name: debug
  image: alpine
volumes:
- name: data
  image: {reference: ghcr.io/a/data:2}
- name: tmp
  emptyDir: {}
`
	return strings.ReplaceAll("\n"+spec, "\n", "\n"+strings.Repeat(" ", indent))
}

func TestFindImagesEverywhere(t *testing.T) {
	inPod := func(title string) []string {
		return []string{
			"docker.io/library/alpine:latest: " + title + " ephemeral container debug",
			"docker.io/library/busybox:1: " + title + " init container setup",
			"docker.io/library/envoy:latest: " + title + " container proxy",
			"docker.io/library/nginx:1: " + title + " container main",
			"ghcr.io/a/data:2: " + title + " image volume data",
		}
	}
	template := func(apiVersion, kind string) string {
		return "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata: {name: web}\nspec:\n  template:\n    spec:" + podSpec(6)
	}
	for _, c := range []struct{ why, text, title string }{
		{"a pod", "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:" + podSpec(2), "Pod/web"},
		{"a deployment", template("apps/v1", "Deployment"), "Deployment/web"},
		{"a stateful set", template("apps/v1", "StatefulSet"), "StatefulSet/web"},
		{"a daemon set", template("apps/v1", "DaemonSet"), "DaemonSet/web"},
		{"a replica set", template("apps/v1", "ReplicaSet"), "ReplicaSet/web"},
		{"a replication controller", template("v1", "ReplicationController"), "ReplicationController/web"},
		{"a job", template("batch/v1", "Job"), "Job/web"},
		{"a cron job", "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: web}\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:" + podSpec(10), "CronJob/web"},
		{"a pod template", "apiVersion: v1\nkind: PodTemplate\nmetadata: {name: web}\ntemplate:\n  spec:" + podSpec(4), "PodTemplate/web"},
		{"a kind with a pod template", template("argoproj.io/v1alpha1", "Rollout"), "Rollout/web"},
		{"a kind with pod specs in a list", "apiVersion: x.io/v1\nkind: Cluster\nmetadata: {name: web}\nspec:\n  components:\n  - name: db\n    runtime:\n      podSpec:" + podSpec(8), "Cluster/web"},
		{"a list", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: web}\n  spec:" + podSpec(4), "Pod/web"},
		{"a list of one kind", "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: web}\n  spec:" + podSpec(4), "Pod/web"},
		{"JSON", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[{"name":"main","image":"nginx:1"},{"name":"proxy","image":"envoy"}],"initContainers":[{"name":"setup","image":"busybox:1"}],"ephemeralContainers":[{"name":"debug","image":"alpine"}],"volumes":[{"name":"data","image":{"reference":"ghcr.io/a/data:2"}}]}}`, "Pod/web"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			for _, hook := range []bool{false, true} {
				images, err := images.FindImages([]objects.Document{{Path: "a.yaml", Text: c.text, Hook: hook}}, nil)
				g.Expect(err).NotTo(HaveOccurred())
				var got []string
				for _, image := range images {
					got = append(got, image.Name+": "+strings.Join(image.Where, ", "))
				}
				g.Expect(got).To(Equal(inPod(c.title)))
			}
		})
	}
}

func TestFindImagesNowhere(t *testing.T) {
	for _, c := range []struct{ why, text string }{
		{"nothing", ""},
		{"comments", "# image: nginx\n"},
		{"a word", "image\n"},
		{"a list of words", "- image: nginx\n"},
		{"a map without a kind", "spec: {containers: [{name: a, image: nginx}]}\n"},
		{"text in a ConfigMap", "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    spec:\n      containers: [{name: a, image: nginx}]\n"},
		{"anything in a ConfigMap", "apiVersion: v1\nkind: ConfigMap\ndata: {containers: [{name: a, image: nginx}]}\n"},
		{"the schema of a kind", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {default: {containers: [{name: a, image: nginx}]}}\n"},
		{"images that are not of containers", "apiVersion: x.io/v1\nkind: Page\nspec: {image: logo.png, images: [{name: a, image: b}]}\n"},
		{"an image that is given at install", "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: \"\"}, {name: b}, {name: c, image: null}]}\n"},
		{"a pattern in a policy", "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nspec: {pattern: {containers: [{name: \"*\", image: \"!*:latest\"}]}}\n"},
		{"lists of something else", "apiVersion: v1\nkind: Pod\nspec: {containers: image, initContainers: [image, [image], {image: {}}], volumes: [1]}\n"},
		{"deeper than anyone nests", "apiVersion: x.io/v1\nkind: X\nspec: " + strings.Repeat("{a: ", 70) + "{containers: [{name: a, image: nginx}]}" + strings.Repeat("}", 70) + "\n"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(images.FindImages([]objects.Document{newDocument(c.text)}, nil)).To(BeEmpty())
		})
	}
}

func TestFindImagesMerges(t *testing.T) {
	g := NewWithT(t)
	pod := func(name, image string) objects.Document {
		return newDocument(fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec: {containers: [{name: main, image: %q}]}\n", name, image))
	}
	docs := []objects.Document{
		pod("b", "nginx"), pod("a", "docker.io/library/nginx:latest"), pod("c", "nginx:2"), pod("a", "nginx"),
		newDocument("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nx-image: &i nginx:2\nspec: {template: {spec: {containers: [{name: main, image: *i}]}}}\n"),
	}
	for i := range 30 {
		docs = append(docs, pod(fmt.Sprintf("p%02d", i), "many"))
	}
	for range 10 {
		found, err := images.FindImages(docs, []string{"nginx", "other:1", ""})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found).To(HaveLen(4))
		g.Expect(found[0].Where).To(HaveLen(20))
		g.Expect(found[0].Where).To(HaveExactElements(slices.Sorted(slices.Values(found[0].Where))))
		g.Expect(found[1:]).To(Equal([]images.Image{
			{Reference: "nginx:2", Name: "docker.io/library/nginx:2", Where: []string{"Deployment/d container main", "Pod/c container main"}},
			{Reference: "docker.io/library/nginx:latest", Name: "docker.io/library/nginx:latest", Where: []string{"Pod/a container main", "Pod/b container main", "declared"}},
			{Reference: "other:1", Name: "docker.io/library/other:1", Where: []string{"declared"}},
		}))
	}
}

func TestFindImagesRefuses(t *testing.T) {
	var many []string
	for i := range chart.MaxImages + 1 {
		many = append(many, fmt.Sprintf("{name: a, image: \"i%d\"}", i))
	}
	bomb := "kind: Pod\na0: &a0 [image, x, x, x, x, x, x, x, x]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	for _, c := range []struct{ why, text, declared, reason, says string }{
		{"no YAML", "image: [", "", v1alpha1.ReasonRenderFailed, "web/templates/a.yaml: yaml: line 1"},
		{"no image", "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: main, image: \"NGINX:1:2\"}, {name: a, image: \"<no value>\"}]}\n", "",
			v1alpha1.ReasonInvalidImage, `Pod/web container a: image: Invalid value: "<no value>": must have the form`},
		{"no image declared", "", "a b", v1alpha1.ReasonInvalidImage, `declared: image: Invalid value: "a b"`},
		{"too many", "apiVersion: v1\nkind: Pod\nspec: {containers: [" + strings.Join(many, ", ") + "]}\n", "", v1alpha1.ReasonLimitExceeded, fmt.Sprint(chart.MaxImages)},
		{"aliases of aliases", bomb, "", v1alpha1.ReasonLimitExceeded, "web/templates/a.yaml"},
		{"too many elements", "image: [" + strings.Repeat("[],", 1<<20) + "]", "", v1alpha1.ReasonLimitExceeded, "web/templates/a.yaml"},
		{"lists in lists", strings.Repeat("{apiVersion: v1, kind: List, items: [", 70) + "image" + strings.Repeat("]}", 70), "", v1alpha1.ReasonLimitExceeded, "nested"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			begin := time.Now()
			for range 5 {
				_, err := images.FindImages([]objects.Document{newDocument(c.text)}, []string{c.declared})
				g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
				g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), "%v", err)
				g.Expect(err.Error()).To(ContainSubstring(c.says))
			}
			g.Expect(time.Since(begin)).To(BeNumerically("<", 20*time.Second))
		})
	}
}

// FuzzImages checks that Find terminates, is deterministic, and returns only valid
// references.
func FuzzImages(f *testing.F) {
	f.Add("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:" + podSpec(6))
	f.Add("kind: List\nitems:\n- kind: Pod\n  spec: &s {containers: [{name: a, image: nginx}]}\n- kind: Pod\n  spec: {<<: *s}\n")
	f.Add("a: &a [image, *a]\n")
	f.Add(`{"kind": "Pod", "spec": {"containers": [{"name": "a", "image": "A:B:C"}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		g := NewWithT(t)
		found, err := images.FindImages([]objects.Document{newDocument(text)}, nil)
		again, err2 := images.FindImages([]objects.Document{newDocument(text)}, nil)
		g.Expect(again).To(Equal(found))
		g.Expect(fmt.Sprint(err2)).To(Equal(fmt.Sprint(err)))
		if err != nil {
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
		}
		for _, image := range found {
			g.Expect(images.NormalizeReference(image.Name)).To(Equal(image.Name))
			g.Expect(images.NormalizeReference(image.Reference)).To(Equal(image.Name))
		}
	})
}

func BenchmarkFindImages(b *testing.B) {
	text := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:" + podSpec(6)
	config := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  nginx.conf: |\n" + strings.Repeat("    server { listen 80; } # image\n", 500)
	docs := []objects.Document{newDocument(text), newDocument(config)}
	b.SetBytes(int64(len(text) + len(config)))
	for b.Loop() {
		if _, err := images.FindImages(docs, nil); err != nil {
			b.Fatal(err)
		}
	}
}
