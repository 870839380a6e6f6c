package addresses

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

const (
	// maxEntrances is the maximum number of entrances of an app that get an address.
	maxEntrances = 50
	// documentPath is the path of the added documents in a chart unit.
	documentPath = "templates/appmarket-entrances.yaml"
)

// AddObjects adds an Ingress or HTTPRoute for each visible entrance to the rendered documents of an
// installation. An entrance gets none if no Service matches it, or if the app has an Ingress or
// HTTPRoute for its Service. An app in the namespace of its shared chart gets none at all, because
// its users open the instances that use the shared chart.
func (p *Policy) AddObjects(draft *hydrate.Draft) error {
	at := draft.Request.At
	if !p.isEnabled() || at.Instance == "" || draft.Manifest.IsSharedIn(at.Namespace) {
		return nil
	}
	rendered, err := readDraft(draft)
	if err != nil {
		return fmt.Errorf("read rendered documents: %w", err)
	}
	hosts := map[string]bool{}
	for _, to := range p.listTargets(draft, rendered) {
		host := p.Hosts.hostFor(place{namespace: at.Namespace, instance: at.Instance, entrance: to.entrance})
		name := at.Instance + "." + toLabel(to.entrance)
		if hosts[host] || rendered.isTaken(string(p.Type), name) {
			continue
		}
		hosts[host] = true
		document, object, err := p.newDocument(name, host, to)
		if err != nil {
			return fmt.Errorf("add %s for entrance %q: %w", p.Type, to.entrance, err)
		}
		unit := &draft.Units[to.unit]
		document.Path = unit.Name + "/" + documentPath
		unit.Documents, unit.Objects = append(unit.Documents, document), append(unit.Objects, object)
	}
	return nil
}

// target is the port of a Service that gets an address.
type target struct {
	entrance string
	backend  Backend
	unit     int // index in the draft
}

// listTargets returns the ports that get an address.
func (p *Policy) listTargets(draft *hydrate.Draft, rendered renderedObjects) []target {
	services := draft.AllServices()
	var entrances []v1alpha1.Entrance
	if draft.Manifest != nil {
		for _, e := range draft.Manifest.Entrances[:min(len(draft.Manifest.Entrances), maxEntrances)] {
			// A name with a dot refers to another namespace.
			if !e.Invisible && e.Host != "" && !strings.Contains(e.Host, ".") {
				entrances = append(entrances, v1alpha1.Entrance{Name: text.Limit(e.Name, maxName), Host: e.Host, Port: e.Port})
			}
		}
	} else if p.PlainCharts {
		entrances = p.RecognizeEntrances(rendered.endpoints)
	}
	var targets []target
	for _, e := range entrances {
		service := hydrate.FindService(services, e.Host, e.Port)
		if service == nil || rendered.isRouted(service.Name) {
			continue
		}
		port := e.Port
		if port == 0 && len(service.Ports) > 0 {
			port = service.Ports[0]
		}
		unit := slices.IndexFunc(draft.Units, func(u hydrate.Unit) bool {
			return hydrate.ReleaseName(draft.Request.At.Instance, draft.Chart.Name, u.Name) == service.Release
		})
		if unit >= 0 && slices.Contains(service.Ports, port) {
			targets = append(targets, target{e.Name, Backend{Service: service.Name, Port: port}, unit})
		}
	}
	return targets
}

// newDocument returns the object of a target as a document.
func (p *Policy) newDocument(name, host string, to target) (objects.Document, objects.Object, error) {
	annotations := maps.Clone(p.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.EntranceAnnotation] = to.entrance
	var object any = p.newRoute(name, host, annotations, to.backend)
	added := objects.Object{APIVersion: gatewayGroup + "/v1", Kind: kindHTTPRoute, Name: name}
	if p.Type == TypeIngress {
		object = p.newIngress(name, host, annotations, to.backend)
		added.APIVersion, added.Kind = networkingv1.SchemeGroupVersion.String(), kindIngress
	}
	encoded, err := json.Marshal(object)
	if err != nil {
		return objects.Document{}, added, err
	}
	manifest, err := yaml.JSONToYAML(encoded)
	document := objects.NewDocument("", string(manifest))
	document.Object = string(encoded)
	return document, added, err
}

// ingress is an Ingress without a status.
type ingress struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        routeMetadata            `json:"metadata"`
	Spec            networkingv1.IngressSpec `json:"spec"`
}

// newIngress returns the Ingress of an entrance.
func (p *Policy) newIngress(name, host string, annotations map[string]string, to Backend) *ingress {
	prefix := networkingv1.PathTypePrefix
	made := &ingress{
		TypeMeta: metav1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: kindIngress},
		Metadata: routeMetadata{Name: name, Annotations: annotations},
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
			Host: host,
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/", PathType: &prefix,
				Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
					Name: to.Service, Port: networkingv1.ServiceBackendPort{Number: to.Port},
				}},
			}}}},
		}}},
	}
	if p.IngressClass != "" {
		made.Spec.IngressClassName = &p.IngressClass
	}
	if p.Scheme == SchemeHTTPS {
		made.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{host}, SecretName: strings.ReplaceAll(p.TLSSecret, hostPlaceholder, host)}}
	}
	return made
}

// renderedObjects are the objects of a draft that policies look at.
type renderedObjects struct {
	endpoints []Endpoint
	names     map[string]bool // kind/name
}

func (r renderedObjects) isTaken(kind, name string) bool { return r.names[kind+"/"+name] }

// isRouted reports whether an Ingress or HTTPRoute of the app leads to a Service.
func (r renderedObjects) isRouted(service string) bool {
	return slices.ContainsFunc(r.endpoints, func(e Endpoint) bool {
		return slices.ContainsFunc(e.Backends, func(b Backend) bool { return b.Service == service })
	})
}

// readDraft reads the endpoints of a draft in the namespace of the instance.
func readDraft(draft *hydrate.Draft) (renderedObjects, error) {
	read := renderedObjects{names: map[string]bool{}}
	for _, document := range draft.AllDocuments() {
		if document.Hook || objects.IsCRDFile(document.Path) || !mayBeEndpoint(document.Object) {
			continue
		}
		var content any
		if err := kjson.Unmarshal([]byte(document.Object), &content); err != nil {
			return read, outcome.Stalled(v1alpha1.ReasonRenderFailed, fmt.Errorf("%s: %w", document.Path, err))
		}
		if object, ok := content.(map[string]any); ok {
			read.addObject(object, draft.Request.At.Namespace, 0)
		}
	}
	return read, nil
}

// mayBeEndpoint reports whether a document can contain an endpoint. It avoids decoding all others.
func mayBeEndpoint(document string) bool {
	return strings.Contains(document, kindService) || strings.Contains(document, kindIngress) || strings.Contains(document, kindHTTPRoute)
}

// addObject adds an object, or the items of a List.
func (r *renderedObjects) addObject(content map[string]any, namespace string, depth int) {
	object := &unstructured.Unstructured{Object: content}
	if items, isList := content["items"].([]any); isList && strings.HasSuffix(object.GetKind(), "List") && depth < objects.MaxDepth {
		for _, item := range items {
			if inner, ok := item.(map[string]any); ok {
				r.addObject(inner, namespace, depth+1)
			}
		}
		return
	}
	if cmp.Or(object.GetNamespace(), namespace) != namespace {
		return
	}
	if endpoint := EndpointOf(object); endpoint != nil {
		r.endpoints = append(r.endpoints, *endpoint)
		r.names[endpoint.Kind+"/"+endpoint.Name] = true
	}
}
