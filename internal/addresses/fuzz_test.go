package addresses

import (
	"net/url"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kjson "k8s.io/apimachinery/pkg/util/json"
)

// FuzzEndpoint reads any object of a chart as an endpoint. Its URL leads to its host, and its parts are limited.
func FuzzEndpoint(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"type":"LoadBalancer","ports":[{"port":80,"name":"http"},{"port":-1,"protocol":"UDP"}]},"status":{"loadBalancer":{"ingress":[{"ip":"1.2.3.4"},{"hostname":"a/b"}]}}}`))
	f.Add([]byte(`{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"web"},"spec":{"tls":[{"hosts":["*.example.com"]}],"rules":[{"host":"a@b.example.com","http":{"paths":[{"path":"/x?y#z","pathType":"Prefix","backend":{"service":{"name":"web","port":{"number":80}}}}]}}]}}`))
	f.Add([]byte(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"web"},"spec":{"parentRefs":[{"name":"g","namespace":"n","port":8443}],"hostnames":["web.example.com"],"rules":[{"matches":[{"path":{"type":"PathPrefix","value":"//evil.example.com"}}],"backendRefs":[{"name":"web","port":99999}]}]}}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"ServiceList","items":[{"apiVersion":"v1","kind":"List","items":[{"kind":"Service","items":[1]}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var content any
		if kjson.Unmarshal(text, &content) != nil {
			return
		}
		object, ok := content.(map[string]any)
		if !ok {
			return
		}
		read := renderedObjects{names: map[string]bool{}}
		read.addObject(object, "team", 0)
		found := read.endpoints
		if one := EndpointOf(&unstructured.Unstructured{Object: object}); one != nil {
			found = append(found, *one)
		}
		for _, endpoint := range found {
			if len(endpoint.Backends) > maxEndpointParts || len(endpoint.Ports) > maxEndpointParts {
				t.Fatalf("the endpoint has %d backends and %d ports", len(endpoint.Backends), len(endpoint.Ports))
			}
			address := endpoint.url(SchemeHTTPS, 8443)
			if address == "" {
				continue
			}
			parsed, err := url.Parse(address)
			if err != nil || parsed.Hostname() != endpoint.Host || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
				t.Fatalf("the URL is %q: %v", address, err)
			}
		}
	})
}
