package addresses

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
)

// readEndpoints returns the endpoints of objects in the order of a YAML text.
func readEndpoints(t *testing.T, text string) []Endpoint {
	t.Helper()
	var found []Endpoint
	for document := range strings.SplitSeq(text, "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		if endpoint := EndpointOf(object); endpoint != nil {
			found = append(found, *endpoint)
		}
	}
	return found
}

// serviceText returns a Service with ports in the form "name:number".
func serviceText(name, more string, ports ...string) string {
	text := "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  " + more + "\n  ports:\n"
	for _, port := range ports {
		name, number, _ := strings.Cut(port, ":")
		text += "  - {name: '" + name + "', port: " + number + "}\n"
	}
	return text
}

const (
	tlsIngress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front}
spec:
  tls: [{hosts: [wiki.example.com], secretName: wiki}]
  rules:
  - {host: "*.wild.example.com", http: {paths: [{path: /other, pathType: Prefix, backend: {service: {name: other, port: {number: 1}}}}]}}
  - {host: wiki.example.com, http: {paths: [{path: /pages, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}}
`
	plainIngress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: any}
spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}
`
	route = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: route}
spec:
  parentRefs: [{name: public, namespace: gateways, sectionName: secure-https}]
  hostnames: ["*.wild.example.com", route.example.com]
  rules: [{backendRefs: [{name: web, port: 80}]}]
`
)

func TestRecognizeEntrances(t *testing.T) {
	web := serviceText("web", "clusterIP: 10.0.0.1", "http:80")
	for _, c := range []struct {
		why     string
		objects []string
		want    []v1alpha1.Entrance
	}{
		{why: "a Service with a web port has no URL", objects: []string{web}, want: []v1alpha1.Entrance{{Name: "web", Kind: "Service", Host: "web", Port: 80}}},
		{why: "a Service without a web port", objects: []string{serviceText("db", "type: ClusterIP", "postgresql:5432")}},
		{why: "a headless Service", objects: []string{serviceText("web", "clusterIP: None", "http:80")}},
		{why: "an ExternalName", objects: []string{serviceText("web", "type: ExternalName\n  externalName: example.com", "http:80")}},
		{why: "metrics, exporters and webhooks", objects: []string{
			serviceText("a", "type: ClusterIP", "http-metrics:8080"), serviceText("redis-exporter", "type: ClusterIP", "http:80"), serviceText("admission-webhook", "type: ClusterIP", "https:443"),
			serviceText("b", "type: ClusterIP", "reloader-web:8080"), serviceText("web-headless", "type: ClusterIP", "http:80"),
		}},
		{
			why: "the first web port of several", objects: []string{serviceText("web", "type: ClusterIP", "grpc:9090", "metrics:8080", "http-web:9093", "https:443")},
			want: []v1alpha1.Entrance{{Name: "web", Kind: "Service", Host: "web", Port: 9093}},
		},
		{
			why: "an unnamed port with a usual number", objects: []string{serviceText("web", "type: ClusterIP", ":8080")},
			want: []v1alpha1.Entrance{{Name: "web", Kind: "Service", Host: "web", Port: 8080}},
		},
		{
			why:     "a load balancer with an address",
			objects: []string{serviceText("web", "type: LoadBalancer", "http:8080") + "status: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}}"},
			want:    []v1alpha1.Entrance{{Name: "web", Kind: "Service", Host: "web", Port: 8080, URL: "http://192.0.2.7:8080/"}},
		},
		{
			why:     "a load balancer with an IPv6 address and TLS",
			objects: []string{serviceText("web", "type: LoadBalancer", "https:443") + `status: {loadBalancer: {ingress: [{ip: "2001:db8::7"}]}}`},
			want:    []v1alpha1.Entrance{{Name: "web", Kind: "Service", Host: "web", Port: 443, URL: "https://[2001:db8::7]/"}},
		},
		{
			why:     "a load balancer without an address yet",
			objects: []string{serviceText("web", "type: LoadBalancer", "http:80")},
			want:    []v1alpha1.Entrance{{Name: "web", Kind: "Service", Host: "web", Port: 80}},
		},
		{
			why: "a NodePort has no URL", objects: []string{serviceText("web", "type: NodePort", "http:80")},
			want: []v1alpha1.Entrance{{Name: "web", Kind: "Service", Host: "web", Port: 80}},
		},
		{
			why: "an Ingress covers its Service", objects: []string{web, tlsIngress},
			want: []v1alpha1.Entrance{{Name: "front", Kind: "Ingress", Host: "web", Port: 80, URL: "https://wiki.example.com/pages"}},
		},
		{
			why: "an Ingress without a host or an address leaves its Service", objects: []string{web, plainIngress},
			want: []v1alpha1.Entrance{{Name: "web", Kind: "Service", Host: "web", Port: 80}},
		},
		{
			why: "an Ingress without a host has the address of its controller", objects: []string{web, plainIngress + "status: {loadBalancer: {ingress: [{hostname: lb.example.com}]}}"},
			want: []v1alpha1.Entrance{{Name: "any", Kind: "Ingress", Host: "web", Port: 80, URL: "http://lb.example.com/"}},
		},
		{
			why: "an HTTPRoute with the name of a TLS listener", objects: []string{web, route},
			want: []v1alpha1.Entrance{{Name: "route", Kind: "HTTPRoute", Host: "web", Port: 80, URL: "https://route.example.com/"}},
		},
		{
			why: "an HTTPRoute that one of two Gateways accepts", objects: []string{web, route + "status: {parents: [{conditions: [{type: Accepted, status: 'False'}]}, {conditions: [{type: Accepted, status: 'True'}]}]}"},
			want: []v1alpha1.Entrance{{Name: "route", Kind: "HTTPRoute", Host: "web", Port: 80, URL: "https://route.example.com/"}},
		},
		{
			why: "an HTTPRoute that its Gateway refuses leaves its Service", objects: []string{web, route + "status: {parents: [{conditions: [{type: Accepted, status: 'False'}]}]}"},
			want: []v1alpha1.Entrance{{Name: "web", Kind: "Service", Host: "web", Port: 80}},
		},
		{
			why: "the main Service comes first", objects: []string{
				serviceText("a-api", "type: ClusterIP", "http:9000"), serviceText("b-exposed", "type: LoadBalancer", "http:80"), serviceText("c-main", "type: ClusterIP", "http:80"),
			},
			want: []v1alpha1.Entrance{
				{Name: "b-exposed", Kind: "Service", Host: "b-exposed", Port: 80}, {Name: "c-main", Kind: "Service", Host: "c-main", Port: 80},
				{Name: "a-api", Kind: "Service", Host: "a-api", Port: 9000},
			},
		},
		{
			why: "objects of the same name", objects: []string{serviceText("front", "type: ClusterIP", "http:80"), strings.ReplaceAll(tlsIngress, "name: web", "name: hidden")},
			want: []v1alpha1.Entrance{
				{Name: "front", Kind: "Ingress", Host: "hidden", URL: "https://wiki.example.com/pages"},
				{Name: "front-service", Kind: "Service", Host: "front", Port: 80},
			},
		},
		{why: "fields of other types", objects: []string{
			"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: 7}", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: b}\nspec: {rules: {}}",
			"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: c}\nspec: {hostnames: [7]}",
		}},
		{why: "hosts that are not DNS names", objects: []string{
			strings.ReplaceAll(tlsIngress, "wiki.example.com", `'evil.example.com/x?y@bank.example.com'`), strings.ReplaceAll(route, "route.example.com", `"javascript:alert(1)"`),
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			var none *Policy
			g.Expect(none.RecognizeEntrances(readEndpoints(t, strings.Join(c.objects, "\n---\n")))).To(Equal(c.want))
		})
	}
}

// TestRecognizedEntrancesAreBounded checks the number, the names and the order of entrances of a
// chart that tries to make the status invalid.
func TestRecognizedEntrancesAreBounded(t *testing.T) {
	g := NewWithT(t)
	long := strings.Repeat("x", 70)
	var endpoints []Endpoint
	for i := range 50 {
		name := fmt.Sprintf("%s-%02d", long, i)
		endpoints = append(endpoints, Endpoint{Kind: kindIngress, Name: name, Host: "a.example.com", Entrance: "web"},
			Endpoint{Kind: kindIngress, Name: name, Host: "a.example.com", Entrance: "web"},
			Endpoint{Kind: kindHTTPRoute, Name: fmt.Sprint("web", i), Host: "a.example.com", Entrance: strings.Repeat("界", 40)})
	}
	var policy Policy
	found := policy.RecognizeEntrances(endpoints)
	g.Expect(found).To(HaveLen(20))
	names := map[string]bool{}
	for _, entrance := range found {
		g.Expect(len(entrance.Name)).To(BeNumerically("<=", 63))
		g.Expect(strings.ToValidUTF8(entrance.Name, "")).To(Equal(entrance.Name))
		g.Expect(names).NotTo(HaveKey(entrance.Name))
		names[entrance.Name] = true
	}
	for i, j := 0, len(endpoints)-1; i < j; i, j = i+1, j-1 {
		endpoints[i], endpoints[j] = endpoints[j], endpoints[i]
	}
	g.Expect(policy.RecognizeEntrances(endpoints)).To(Equal(found), "the order of the objects does not matter")
}

func TestSetURLs(t *testing.T) {
	exposed := serviceText("web", "type: LoadBalancer", "http:80", "admin:9000") + "status: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}}"
	added := strings.ReplaceAll(route, "metadata: {name: route}", "metadata: {name: wiki.web, annotations: {appmarket.io/entrance: web}}")
	policy := &Policy{Type: TypeHTTPRoute, Scheme: SchemeHTTP, Gateway: Gateway{Namespace: "gateways", Name: "public"}}
	for _, c := range []struct {
		why     string
		policy  *Policy
		objects []string
		hidden  bool
		port    int32
		want    string
	}{
		{why: "a Service without an address", objects: []string{serviceText("web", "type: ClusterIP", "http:80")}, port: 80},
		{why: "the address of the Service", objects: []string{exposed}, port: 80, want: "http://192.0.2.7/"},
		{why: "another port of the Service", objects: []string{exposed}, port: 9000, want: "http://192.0.2.7:9000/"},
		{why: "a port that the Service does not have", objects: []string{exposed}, port: 1},
		{why: "an Ingress of the chart before the Service", objects: []string{exposed, tlsIngress}, port: 80, want: "https://wiki.example.com/pages"},
		{why: "an Ingress to another port", objects: []string{exposed, tlsIngress}, port: 9000, want: "http://192.0.2.7:9000/"},
		{why: "the object of the policy before the object of the chart", policy: policy, objects: []string{tlsIngress, added}, port: 80, want: "http://route.example.com/"},
		{why: "an object of another policy", objects: []string{added}, port: 80, want: "https://route.example.com/"},
		{why: "an object for another entrance", objects: []string{strings.ReplaceAll(added, "entrance: web", "entrance: admin")}, port: 80},
		{why: "a hidden entrance", objects: []string{exposed, tlsIngress, added}, hidden: true, port: 80},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			entrances := []v1alpha1.Entrance{{Name: "web", Host: "web", Port: c.port, Hidden: c.hidden, URL: "http://before.example.com/"}}
			c.policy.SetURLs(entrances, readEndpoints(t, strings.Join(c.objects, "\n---\n")))
			g.Expect(entrances[0].URL).To(Equal(c.want))
		})
	}
}
