package images_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/objects"
)

const (
	operatorPod = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: op}\nspec: {template: {spec: {containers: [{name: main, image: op:1, %s}]}}}\n"
	agentKind   = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: agents.x.io, annotations: {appmarket.io/image-paths: %q}}\nspec: {group: x.io, names: {kind: Agent}}\n"
	agent       = "apiVersion: x.io/v1\nkind: Agent\nmetadata: {name: a}\nspec: %s\n"
	settings    = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: {%s}}\ndata: {agent: \"r.io/agent:1\", image: \"r.io/other:1\"}\n"
)

// TestFindImagesByConvention finds images that no pod spec names.
func TestFindImagesByConvention(t *testing.T) {
	sum := "sha256:" + strings.Repeat("ab", 32)
	for _, c := range []struct {
		why, text string
		want      []string
	}{
		{"an environment variable of an operator", fmt.Sprintf(operatorPod, `env: [{name: RELATED_IMAGE_AGENT, value: r.io/agent}]`),
			[]string{"r.io/agent:latest: Deployment/op container main env RELATED_IMAGE_AGENT"}},
		{"an environment variable with an image", fmt.Sprintf(operatorPod, `env: [{name: AGENT_IMAGE, value: "agent:1"}, {name: IMAGE, value: "r.io/b@`+sum+`"}]`),
			[]string{"docker.io/library/agent:1: Deployment/op container main env AGENT_IMAGE", "r.io/b@" + sum + ": Deployment/op container main env IMAGE"}},
		{"environment variables of something else", fmt.Sprintf(operatorPod, `env: [{name: LOGO_IMAGE, value: logo.png}, {name: IMAGE_HOST, value: "r.io:80"}, {name: A, value: "r.io/a:1"}, {name: RELATED_IMAGE_B, value: "http://x"}]`), nil},
		{"arguments", fmt.Sprintf(operatorPod, `command: [op, --solver-image=r.io/solver:v1], args: ["--agent-image", "agent:2", "--config-reloader=quay.io/p/reloader:v0.75.0"]`),
			[]string{"docker.io/library/agent:2: Deployment/op container main argument --agent-image", "quay.io/p/reloader:v0.75.0: Deployment/op container main argument --config-reloader", "r.io/solver:v1: Deployment/op container main argument --solver-image"}},
		{"arguments of something else", fmt.Sprintf(operatorPod, `args: ["--listen=example.com/a:8080", "--pull-image", "--url=https://r.io/a:1.0", "--image-pull-policy=Always", "r.io/a:1.0", "--name", "r.io/a:1.0"]`), nil},
		{"a field of a custom resource", fmt.Sprintf(agent, `{image: "r.io/agent:1", sidecar: {proxyImage: "r.io/proxy@`+sum+`"}, baseImage: r.io/base, logoImage: logo.png}`),
			[]string{"r.io/agent:1: Agent/a field image", "r.io/proxy@" + sum + ": Agent/a field proxyImage"}},
		{"a field with a tag next to it", fmt.Sprintf(agent, `{image: r.io/agent, tag: "1"}`), []string{"r.io/agent:1: Agent/a field image"}},
		{"the parts of a reference", fmt.Sprintf(agent, `{a: {image: {registry: r.io, repository: a, tag: "1"}}, b: {image: {repository: r.io/b, tag: "2", digest: "`+sum+`"}}, c: {image: {repository: r.io/c}}}`),
			[]string{"r.io/a:1: Agent/a field image", "r.io/b@" + sum + ": Agent/a field image"}},
		{"a field of a kind of Kubernetes", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\nspec: {image: \"r.io/agent:1\"}\n", nil},
		{"a pattern", "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p}\nspec: {image: \"r.io/*:1\"}\n", nil},
		{"the paths of a kind", fmt.Sprintf(agentKind, "spec.agents[*].runtime, spec.missing[*].a") + "---\n" + fmt.Sprintf(agent, `{agents: [{runtime: r.io/a}, {runtime: "r.io/b:2"}, {runtime: 1}, x]}`),
			[]string{"r.io/a:latest: Agent/a field spec.agents[*].runtime", "r.io/b:2: Agent/a field spec.agents[*].runtime"}},
		{"the paths of an object", fmt.Sprintf(settings, `appmarket.io/image-paths: data.agent`), []string{"r.io/agent:1: ConfigMap/c field data.agent"}},
		{"the list of an object", fmt.Sprintf(settings, `appmarket.io/images: "r.io/x:1, r.io/y:2  not:a:reference"`),
			[]string{"r.io/x:1: ConfigMap/c annotation appmarket.io/images", "r.io/y:2: ConfigMap/c annotation appmarket.io/images"}},
		{"a ConfigMap without an annotation", fmt.Sprintf(settings, ""), nil},
		{"a Secret", strings.Replace(fmt.Sprintf(settings, `appmarket.io/image-paths: stringData.agent`), "ConfigMap", "Secret", 1), nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			var docs []objects.Document
			for _, text := range strings.Split(c.text, "---\n") {
				docs = append([]objects.Document{newDocument(text)}, docs...) // A definition comes after its objects, too.
			}
			found, err := images.FindImages(docs, nil)
			g.Expect(err).NotTo(HaveOccurred())
			var got []string
			for _, image := range found {
				if image.Name != "docker.io/library/op:1" {
					g.Expect(image.Announced).To(BeTrue(), image.Name)
					got = append(got, image.Name+": "+strings.Join(image.Where, ", "))
				}
			}
			g.Expect(got).To(Equal(c.want))
		})
	}
}

// TestAnnouncedImagesAreLimited finds the same images in each run, and never fails because of announced ones.
func TestAnnouncedImagesAreLimited(t *testing.T) {
	g := NewWithT(t)
	var fields strings.Builder
	for i := range 3 * chart.MaxImages {
		fmt.Fprintf(&fields, "{image: \"r.io/i%05d:1\"}, ", i)
	}
	docs := []objects.Document{newDocument(fmt.Sprintf(agent, "{list: ["+fields.String()+"]}")), newDocument(fmt.Sprintf(operatorPod, ""))}
	var before []images.Image
	for range 3 {
		found, err := images.FindImages(docs, nil)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found).To(HaveLen(chart.MaxImages))
		g.Expect(found[0]).To(And(HaveField("Name", "docker.io/library/op:1"), HaveField("Announced", false)))
		if before != nil {
			g.Expect(found).To(Equal(before))
		}
		before = found
	}
}

// TestUsedImagesAreNotAnnounced finds an image in a pod spec and in the environment of an operator.
func TestUsedImagesAreNotAnnounced(t *testing.T) {
	g := NewWithT(t)
	found, err := images.FindImages([]objects.Document{newDocument(fmt.Sprintf(operatorPod, `env: [{name: RELATED_IMAGE_A, value: "op:1"}]`))}, nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveLen(1))
	g.Expect(found[0]).To(And(HaveField("Announced", false), HaveField("Where", HaveLen(2))))
}
