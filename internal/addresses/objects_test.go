package addresses

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/objects"
)

// newDraft returns the draft of the app "wiki" in an instance of the same name, with rendered
// documents and their Services.
func newDraft(t *testing.T, entrances []inputs.Entrance, services []hydrate.Service, documents ...string) *hydrate.Draft {
	t.Helper()
	draft := &hydrate.Draft{Request: hydrate.Request{At: hydrate.InstallTarget{Namespace: "demo", Instance: "wiki"}}}
	draft.Chart.Name = "wiki"
	if entrances != nil {
		draft.Manifest = &hydrate.Manifest{Entrances: entrances}
	}
	unit := hydrate.Unit{Name: "wiki"}
	for _, service := range services {
		service.Release = "wiki"
		unit.Services = append(unit.Services, service)
	}
	for _, text := range documents {
		object, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		document := objects.NewDocument("wiki/templates/all.yaml", text)
		document.Object = string(object)
		unit.Documents = append(unit.Documents, document)
	}
	draft.Units = []hydrate.Unit{unit}
	return draft
}

// newPolicy returns a policy with a host template that keeps the names apart.
func newPolicy(t *testing.T, change func(*Policy)) *Policy {
	t.Helper()
	policy := &Policy{Type: TypeIngress, Scheme: SchemeHTTP}
	if change != nil {
		change(policy)
	}
	if err := policy.Check("{entrance}.{instance}.{namespace}.example.com"); err != nil {
		t.Fatal(err)
	}
	return policy
}

// addedTexts returns the documents that a policy adds to a draft.
func addedTexts(g Gomega, policy *Policy, draft *hydrate.Draft) []string {
	before := len(draft.Units[0].Documents)
	g.Expect(policy.AddObjects(draft)).To(Succeed())
	var texts []string
	for _, document := range draft.Units[0].Documents[before:] {
		g.Expect(document.Path).To(Equal("wiki/templates/appmarket-entrances.yaml"))
		g.Expect(document.Object).To(MatchYAML(document.Text))
		texts = append(texts, document.Text)
	}
	return texts
}

func TestAddedIngress(t *testing.T) {
	g := NewWithT(t)
	policy := newPolicy(t, func(p *Policy) {
		p.Scheme, p.IngressClass, p.TLSSecret = SchemeHTTPS, "nginx", "{host}-tls"
		p.Annotations = map[string]string{"cert-manager.io/cluster-issuer": "public"}
	})
	draft := newDraft(t, []inputs.Entrance{{Name: "web", Host: "wiki", Port: 80}}, []hydrate.Service{{Name: "wiki", Ports: []int32{80}}})
	added := addedTexts(g, policy, draft)
	g.Expect(added).To(HaveLen(1))
	g.Expect(added[0]).To(MatchYAML(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: wiki.web
  annotations: {appmarket.io/entrance: web, cert-manager.io/cluster-issuer: public}
spec:
  ingressClassName: nginx
  tls: [{hosts: [web.wiki.demo.example.com], secretName: web.wiki.demo.example.com-tls}]
  rules:
  - host: web.wiki.demo.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: wiki, port: {number: 80}}}}]}
`))
	g.Expect(draft.Units[0].Objects).To(Equal([]objects.Object{{APIVersion: "networking.k8s.io/v1", Kind: "Ingress", Name: "wiki.web"}}))
	g.Expect(policy.Annotations).To(HaveLen(1), "the policy is not changed")
}

func TestAddedHTTPRoute(t *testing.T) {
	g := NewWithT(t)
	policy := newPolicy(t, func(p *Policy) {
		p.Type, p.Gateway = TypeHTTPRoute, Gateway{Namespace: "gateways", Name: "public", Section: "web"}
	})
	draft := newDraft(t, []inputs.Entrance{{Name: "web", Host: "wiki"}}, []hydrate.Service{{Name: "wiki", Ports: []int32{8080, 80}}})
	added := addedTexts(g, policy, draft)
	g.Expect(added).To(HaveLen(1))
	g.Expect(added[0]).To(MatchYAML(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: wiki.web, annotations: {appmarket.io/entrance: web}}
spec:
  parentRefs: [{namespace: gateways, name: public, sectionName: web}]
  hostnames: [web.wiki.demo.example.com]
  rules: [{matches: [{path: {type: PathPrefix, value: /}}], backendRefs: [{name: wiki, port: 8080}]}]
`))
	g.Expect(draft.Units[0].Objects).To(Equal([]objects.Object{{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Name: "wiki.web"}}))
}

func TestEntrancesWithoutAddedObjects(t *testing.T) {
	services := []hydrate.Service{{Name: "wiki", Ports: []int32{80}}, {Name: "admin", Ports: []int32{9000}}}
	web := inputs.Entrance{Name: "web", Host: "wiki", Port: 80}
	ofService := func(name string) string {
		return "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: " + name + "}\nspec: {defaultBackend: {service: {name: wiki, port: {number: 80}}}}"
	}
	for _, c := range []struct {
		why       string
		policy    func(*Policy)
		change    func(*hydrate.Draft)
		entrances []inputs.Entrance
		documents []string
		want      int
	}{
		{why: "an entrance with a Service", entrances: []inputs.Entrance{web}, want: 1},
		{why: "no policy", policy: func(p *Policy) { p.Type = TypeNone }, entrances: []inputs.Entrance{web}},
		{why: "a hidden entrance", entrances: []inputs.Entrance{{Name: "web", Host: "wiki", Port: 80, Invisible: true}}},
		{why: "no Service", entrances: []inputs.Entrance{{Name: "web", Host: "other", Port: 81}}},
		{why: "a port that the Service does not have", entrances: []inputs.Entrance{{Name: "web", Host: "wiki", Port: 81}}},
		{why: "a Service in another namespace", entrances: []inputs.Entrance{{Name: "web", Host: "wiki.other", Port: 80}}},
		{why: "an Ingress of the chart", entrances: []inputs.Entrance{web}, documents: []string{ofService("own")}},
		{
			why: "an Ingress of the chart in a List", entrances: []inputs.Entrance{web},
			documents: []string{"apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(ofService("own"), "\n", "\n  ")},
		},
		{why: "an HTTPRoute of the chart", entrances: []inputs.Entrance{web}, documents: []string{strings.ReplaceAll(route, "name: web", "name: wiki")}},
		{
			why: "an Ingress of the chart in another namespace", entrances: []inputs.Entrance{web}, want: 1,
			documents: []string{strings.Replace(ofService("own"), "{name: own}", "{name: own, namespace: other}", 1)},
		},
		{
			why: "an Ingress of the chart with the same name", entrances: []inputs.Entrance{{Name: "web", Host: "admin", Port: 9000}},
			documents: []string{ofService("wiki.web")},
		},
		{why: "a document that is not an object", entrances: []inputs.Entrance{web}, documents: []string{"[Service]"}, want: 1},
		{
			why: "a shared chart in its namespace", entrances: []inputs.Entrance{web},
			change: func(d *hydrate.Draft) {
				d.Manifest.SubCharts, d.Request.At.Namespace = []hydrate.SubChart{{Name: "db", Shared: true}}, "db-shared"
			},
		},
		{why: "an app that is not installed", entrances: []inputs.Entrance{web}, change: func(d *hydrate.Draft) { d.Request.At = hydrate.InstallTarget{} }},
		{why: "a plain chart", documents: []string{serviceText("wiki", "type: ClusterIP", "http:80")}},
		{
			why: "a plain chart, if the policy includes them", policy: func(p *Policy) { p.PlainCharts = true }, want: 1,
			documents: []string{serviceText("wiki", "type: ClusterIP", "http:80"), serviceText("admin", "type: ClusterIP", "metrics:9000")},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			draft := newDraft(t, c.entrances, services, c.documents...)
			if c.change != nil {
				c.change(draft)
			}
			g.Expect(addedTexts(g, newPolicy(t, c.policy), draft)).To(HaveLen(c.want))
		})
	}
}

// TestHostileEntrances checks that the names and the number of entrances in a manifest lead to valid
// and different objects only.
func TestHostileEntrances(t *testing.T) {
	g := NewWithT(t)
	var entrances []inputs.Entrance
	for _, name := range []string{"web", "Web", "../../etc", "a: b\n---\nkind: Secret", "{{ .Values }}", "bank.example.com", strings.Repeat("x", 300), strings.Repeat("x", 299) + "y"} {
		entrances = append(entrances, inputs.Entrance{Name: name, Host: "wiki", Port: 80})
	}
	for i := range 100 {
		entrances = append(entrances, inputs.Entrance{Name: fmt.Sprint("more", i), Host: "wiki", Port: 80})
	}
	draft := newDraft(t, entrances, []hydrate.Service{{Name: "wiki", Ports: []int32{80}}})
	added := addedTexts(g, newPolicy(t, nil), draft)
	g.Expect(added).To(HaveLen(49), "two names start with the same 63 characters")
	hosts := map[string]bool{}
	for _, text := range added {
		g.Expect(objects.SplitDocuments(text)).To(HaveLen(1), "Helm reads one document")
		var object ingress
		g.Expect(yaml.UnmarshalStrict([]byte(text), &object)).To(Succeed())
		g.Expect(object.Metadata.Name).To(MatchRegexp(`^wiki\.[a-z0-9]([a-z0-9-]*[a-z0-9])?$`))
		host := object.Spec.Rules[0].Host
		g.Expect(host).To(MatchRegexp(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?\.wiki\.demo\.example\.com$`))
		g.Expect(hosts).NotTo(HaveKey(host))
		hosts[host] = true
	}
}
