package addresses

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// httpRoute contains the fields of an HTTPRoute that the operator reads and writes.
type httpRoute struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Metadata   routeMetadata `json:"metadata"`
	Spec       routeSpec     `json:"spec"`
	Status     routeStatus   `json:"status,omitzero"`
}

// routeStatus contains what the controller of each Gateway reports.
type routeStatus struct {
	Parents []struct {
		Conditions []metav1.Condition `json:"conditions,omitempty"`
	} `json:"parents,omitempty"`
}

// isRefused reports whether all Gateways refuse the HTTPRoute.
func (s routeStatus) isRefused() bool {
	for _, parent := range s.Parents {
		if !meta.IsStatusConditionFalse(parent.Conditions, "Accepted") {
			return false
		}
	}
	return len(s.Parents) > 0
}

type routeMetadata struct {
	Name        string            `json:"name"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type routeSpec struct {
	ParentRefs []parentRef `json:"parentRefs,omitempty"`
	Hostnames  []string    `json:"hostnames,omitempty"`
	Rules      []routeRule `json:"rules,omitempty"`
}

type parentRef struct {
	Kind        string `json:"kind,omitempty"`
	Namespace   string `json:"namespace,omitempty"`
	Name        string `json:"name"`
	SectionName string `json:"sectionName,omitempty"`
	Port        int32  `json:"port,omitempty"`
}

type routeRule struct {
	Matches     []routeMatch `json:"matches,omitempty"`
	BackendRefs []backendRef `json:"backendRefs,omitempty"`
}

type routeMatch struct {
	Path *pathMatch `json:"path,omitempty"`
}

type pathMatch struct {
	Type  string `json:"type,omitempty"`
	Value string `json:"value,omitempty"`
}

type backendRef struct {
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Port      int32  `json:"port,omitempty"`
}

// setRoute sets the endpoint of an HTTPRoute. The protocol of the listener is not read from the
// Gateway, which the tenant may not read: it is HTTPS if the HTTPRoute names port 443 or a listener
// whose name contains "https" or "tls". An HTTPRoute that its Gateways refuse has no address.
func (e *Endpoint) setRoute(route *httpRoute) {
	for _, host := range firstItems(route.Spec.Hostnames) {
		if !route.Status.isRefused() && e.setHost(host) {
			break
		}
	}
	if len(route.Spec.ParentRefs) > 0 {
		e.setParent(route.Spec.ParentRefs[0])
	}
	for i, rule := range firstItems(route.Spec.Rules) {
		for _, backend := range firstItems(rule.BackendRefs) {
			if backend.isLocalService() && len(e.Backends) < maxEndpointParts {
				e.Backends = append(e.Backends, Backend{Service: backend.Name, Port: backend.Port})
			}
		}
		if i == 0 && len(rule.Matches) > 0 && rule.Matches[0].Path != nil && rule.Matches[0].Path.Type != "RegularExpression" {
			e.setPath(rule.Matches[0].Path.Value)
		}
	}
}

func (e *Endpoint) setParent(parent parentRef) {
	e.Gateway = Gateway{Namespace: parent.Namespace, Name: parent.Name, Section: parent.SectionName}
	e.Port = parent.Port
	section := strings.ToLower(parent.SectionName)
	e.HasTLS = parent.Port == defaultPort(SchemeHTTPS) || strings.Contains(section, "https") || strings.Contains(section, "tls")
}

// isLocalService reports whether a backend is a Service in the namespace of the HTTPRoute.
func (b backendRef) isLocalService() bool {
	return (b.Kind == "" || b.Kind == kindService) && b.Namespace == ""
}

// newRoute returns the HTTPRoute of an entrance.
func (p *Policy) newRoute(name, host string, annotations map[string]string, to Backend) *httpRoute {
	return &httpRoute{
		APIVersion: gatewayGroup + "/v1", Kind: kindHTTPRoute,
		Metadata: routeMetadata{Name: name, Annotations: annotations},
		Spec: routeSpec{
			ParentRefs: []parentRef{{Namespace: p.Gateway.Namespace, Name: p.Gateway.Name, SectionName: p.Gateway.Section}},
			Hostnames:  []string{host},
			Rules: []routeRule{{
				Matches:     []routeMatch{{Path: &pathMatch{Type: "PathPrefix", Value: "/"}}},
				BackendRefs: []backendRef{{Name: to.Service, Port: to.Port}},
			}},
		},
	}
}

// isAttachedTo reports whether an HTTPRoute uses the Gateway of a policy.
func (e *Endpoint) isAttachedTo(gateway Gateway) bool {
	return e.Gateway.Namespace == gateway.Namespace && e.Gateway.Name == gateway.Name &&
		slices.Contains([]string{"", e.Gateway.Section}, gateway.Section)
}
