package addresses

import (
	"cmp"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
)

// maxRecognized is the maximum number of entrances that are recognized for an instance.
const maxRecognized = 20

// maxURL and maxName are the maximum lengths of the fields of an entrance.
const (
	maxURL  = 2048
	maxName = 63
)

// SetURLs sets the URL of each entrance from the endpoints of the instance. A hidden entrance has
// no URL. The URL comes from the object that a policy added for the entrance, from an Ingress or
// HTTPRoute to its Service, or from the address of its Service.
func (p *Policy) SetURLs(entrances []v1alpha1.Entrance, endpoints []Endpoint) {
	endpoints = sortEndpoints(endpoints)
	for i := range entrances {
		entrances[i].URL = ""
		if !entrances[i].Hidden {
			entrances[i].URL = p.findURL(&entrances[i], endpoints)
		}
	}
}

// findURL returns the URL of an entrance, "" if it has none.
func (p *Policy) findURL(entrance *v1alpha1.Entrance, endpoints []Endpoint) string {
	for _, matches := range []func(*Endpoint) bool{
		func(e *Endpoint) bool { return e.Entrance == entrance.Name && e.hasBackend(entrance, endpoints) },
		func(e *Endpoint) bool { return e.Entrance == "" && e.hasBackend(entrance, endpoints) },
	} {
		for i := range endpoints {
			if e := &endpoints[i]; e.Kind != kindService && matches(e) {
				if url := p.urlOf(e); url != "" {
					return url
				}
			}
		}
	}
	for i := range endpoints {
		e := &endpoints[i]
		if e.Kind != kindService || e.Name != entrance.Host || !e.IsExposed {
			continue
		}
		at := slices.IndexFunc(e.Ports, func(port ServicePort) bool { return port.Number == entrance.Port })
		if at >= 0 {
			return limitURL(e.url(e.Ports[at].Scheme(), entrance.Port))
		}
	}
	return ""
}

// hasBackend reports whether an Ingress or HTTPRoute leads to the port of an entrance.
func (e *Endpoint) hasBackend(entrance *v1alpha1.Entrance, endpoints []Endpoint) bool {
	return entrance.Host != "" && slices.ContainsFunc(e.Backends, func(b Backend) bool {
		number := b.number(endpoints)
		return b.Service == entrance.Host && (number == 0 || entrance.Port == 0 || number == entrance.Port)
	})
}

// number returns the port number of a backend, 0 if it is unknown.
func (b Backend) number(endpoints []Endpoint) int32 {
	if b.Port != 0 || b.PortName == "" {
		return b.Port
	}
	for _, e := range endpoints {
		if e.Kind != kindService || e.Name != b.Service {
			continue
		}
		for _, port := range e.Ports {
			if port.Name == b.PortName {
				return port.Number
			}
		}
	}
	return 0
}

// urlOf returns the URL of an Ingress or HTTPRoute, "" if it has no host. The scheme of an HTTPRoute
// at the Gateway of the policy is the scheme of the policy.
func (p *Policy) urlOf(e *Endpoint) string {
	scheme := SchemeHTTP
	if e.HasTLS {
		scheme = SchemeHTTPS
	}
	if e.Kind == kindHTTPRoute && p.isEnabled() && p.Type == TypeHTTPRoute && e.isAttachedTo(p.Gateway) {
		scheme = p.Scheme
	}
	return limitURL(e.url(scheme, e.Port))
}

// limitURL returns a URL that fits into a status, "" for one that is too long.
func limitURL(url string) string {
	if len(url) > maxURL {
		return ""
	}
	return url
}

// RecognizeEntrances returns the entrances of an instance whose app declares none: its Ingresses
// and HTTPRoutes with a host, and its Services with a web port to which none of them leads. They are
// in a stable order, and at most 20.
func (p *Policy) RecognizeEntrances(endpoints []Endpoint) []v1alpha1.Entrance {
	endpoints = sortEndpoints(endpoints)
	var found []v1alpha1.Entrance
	covered, names := map[string]bool{}, map[string]bool{}
	for i := range endpoints {
		e := &endpoints[i]
		entrance, isRecognized := p.recognizeEntrance(e, endpoints)
		if !isRecognized || e.Kind == kindService && covered[e.Name] {
			continue
		}
		for _, backend := range e.Backends {
			covered[backend.Service] = true
		}
		if entrance.Name = uniqueName(names, e); names[entrance.Name] {
			continue // The same object is listed twice.
		}
		if names[entrance.Name] = true; len(found) == maxRecognized {
			break
		}
		found = append(found, entrance)
	}
	return found
}

// recognizeEntrance returns the entrance that an endpoint provides, without its name. It reports
// whether there is one. The Services behind an Ingress without a host can still be reached.
func (p *Policy) recognizeEntrance(e *Endpoint, endpoints []Endpoint) (v1alpha1.Entrance, bool) {
	entrance := v1alpha1.Entrance{Kind: e.Kind}
	if e.Kind != kindService {
		entrance.URL = p.urlOf(e)
		if len(e.Backends) > 0 {
			entrance.Host, entrance.Port = e.Backends[0].Service, e.Backends[0].number(endpoints)
		}
		return entrance, entrance.URL != ""
	}
	port := e.webPort()
	if port == nil {
		return entrance, false
	}
	entrance.Host, entrance.Port = e.Name, port.Number
	if e.IsExposed {
		entrance.URL = limitURL(e.url(port.Scheme(), port.Number))
	}
	return entrance, true
}

// uniqueName returns the name of a recognized entrance: the name for which a policy added the
// object, or the name of the object. A name that is too long is cut, and a name that is taken gets
// the kind or a digest as a suffix.
func uniqueName(taken map[string]bool, e *Endpoint) string {
	name := cmp.Or(e.Entrance, e.Name)
	if taken[name] {
		name += "-" + strings.ToLower(e.Kind)
	}
	if len(name) > maxName || taken[name] {
		return appendDigest(name, digestOf(e.Kind, e.Name))
	}
	return name
}

// sortEndpoints returns the endpoints in the order of entrances: Ingresses, HTTPRoutes, Services
// with a load balancer, Services whose port is the main one, other Services; each by name.
func sortEndpoints(endpoints []Endpoint) []Endpoint {
	return slices.SortedFunc(slices.Values(endpoints), func(a, b Endpoint) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Name, b.Name))
	})
}

func (e *Endpoint) rank() int {
	port := e.webPort()
	switch {
	case e.Kind == kindIngress:
		return 0
	case e.Kind == kindHTTPRoute:
		return 1
	case e.IsExposed:
		return 2
	case port != nil && port.isMain():
		return 3
	}
	return 4
}
