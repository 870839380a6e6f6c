package addresses

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Type is the kind of object that gives entrances an address.
type Type string

const (
	// TypeNone adds no objects.
	TypeNone Type = "None"
	// TypeIngress adds an Ingress for each entrance.
	TypeIngress Type = "Ingress"
	// TypeHTTPRoute adds an HTTPRoute of the Gateway API for each entrance.
	TypeHTTPRoute Type = "HTTPRoute"
)

// UnmarshalText parses a type.
func (t *Type) UnmarshalText(text []byte) error {
	switch parsed := Type(text); parsed {
	case TypeNone, TypeIngress, TypeHTTPRoute:
		*t = parsed
		return nil
	}
	return errors.New("must be None, Ingress or HTTPRoute")
}

// MarshalText returns the type.
func (t Type) MarshalText() ([]byte, error) { return []byte(t), nil }

// Scheme is the scheme of URLs.
type Scheme string

const (
	// SchemeHTTP is plain HTTP.
	SchemeHTTP Scheme = "http"
	// SchemeHTTPS is HTTP over TLS.
	SchemeHTTPS Scheme = "https"
)

// UnmarshalText parses a scheme.
func (s *Scheme) UnmarshalText(text []byte) error {
	switch parsed := Scheme(text); parsed {
	case SchemeHTTP, SchemeHTTPS:
		*s = parsed
		return nil
	}
	return errors.New("must be http or https")
}

// MarshalText returns the scheme.
func (s Scheme) MarshalText() ([]byte, error) { return []byte(s), nil }

// Gateway identifies a Gateway of the Gateway API, or one of its listeners.
type Gateway struct {
	Namespace, Name string
	// Section is the name of the listener. If empty, all listeners are used.
	Section string
}

// String returns the gateway in the form namespace/name or namespace/name/section.
func (g Gateway) String() string {
	return strings.TrimRight(strings.Join([]string{g.Namespace, g.Name, g.Section}, "/"), "/")
}

// Set parses a gateway. It implements flag.Value.
func (g *Gateway) Set(text string) error {
	parts := strings.Split(text, "/")
	if len(parts) != 2 && len(parts) != 3 {
		return errors.New("must have the form <namespace>/<name> or <namespace>/<name>/<listener>")
	}
	for _, part := range parts {
		if len(validation.IsDNS1123Subdomain(part)) > 0 {
			return fmt.Errorf("%q: must be a DNS name", part)
		}
	}
	*g = Gateway{Namespace: parts[0], Name: parts[1], Section: strings.Join(parts[2:], "")}
	return nil
}

// hostPlaceholder is the placeholder in the name of a TLS Secret.
const hostPlaceholder = "{host}"

// Policy specifies how entrances get an address. Call Check before using it.
type Policy struct {
	Type Type
	// Hosts is the template of hosts. It is ignored with TypeNone.
	Hosts HostTemplate
	// Scheme is the scheme of the URLs. An Ingress with https has a TLS section.
	Scheme Scheme
	// IngressClass is the name of an IngressClass. If empty, the default class is used.
	IngressClass string
	// TLSSecret is the name of the Secret with the certificate in the namespace of each Ingress, with
	// the placeholder {host}. If empty, the ingress controller uses its default certificate.
	TLSSecret string
	// Gateway is the Gateway of HTTPRoutes.
	Gateway Gateway
	// Annotations are added to each object.
	Annotations map[string]string
	// PlainCharts specifies that the web Services of charts without an app manifest get an
	// address too.
	PlainCharts bool
}

// Check sets the template of hosts, and returns an error if the template is invalid or the policy is
// inconsistent. The error names the flag of the invalid field.
func (p *Policy) Check(hostTemplate string) error {
	if p.Type == TypeNone {
		return nil
	}
	var err error
	if p.Hosts, err = ParseHostTemplate(hostTemplate); err != nil {
		return fmt.Errorf("--address-host-template: Invalid value: %q: %w", hostTemplate, err)
	}
	for key := range p.Annotations {
		if key == v1alpha1.EntranceAnnotation {
			return fmt.Errorf("--address-annotation: Invalid value: %q: is set by the operator", key)
		}
		if problems := content.IsLabelKey(strings.ToLower(key)); len(problems) > 0 {
			return fmt.Errorf("--address-annotation: Invalid value: %q: %s", key, problems[0])
		}
	}
	if p.Type == TypeIngress {
		return p.checkIngress()
	}
	return p.checkRoute()
}

func (p *Policy) checkIngress() error {
	switch {
	case p.Gateway != Gateway{}:
		return errors.New("--address-gateway: requires --address-type=HTTPRoute")
	case p.IngressClass != "" && len(validation.IsDNS1123Subdomain(p.IngressClass)) > 0:
		return fmt.Errorf("--address-ingress-class: Invalid value: %q: must be a DNS name", p.IngressClass)
	case p.TLSSecret != "" && p.Scheme != SchemeHTTPS:
		return errors.New("--address-tls-secret: requires --address-scheme=https")
	}
	sample := strings.ReplaceAll(p.TLSSecret, hostPlaceholder, p.Hosts.longestHost())
	if problems := validation.IsDNS1123Subdomain(sample); p.TLSSecret != "" && len(problems) > 0 {
		return fmt.Errorf("--address-tls-secret: Invalid value: %q: the name for the longest host is invalid: %s", p.TLSSecret, problems[0])
	}
	return nil
}

func (p *Policy) checkRoute() error {
	switch {
	case p.Gateway == Gateway{}:
		return errors.New("--address-gateway: required with --address-type=HTTPRoute")
	case p.IngressClass != "":
		return errors.New("--address-ingress-class: requires --address-type=Ingress")
	case p.TLSSecret != "":
		return errors.New("--address-tls-secret: requires --address-type=Ingress; the listener of the Gateway has the certificate")
	}
	return nil
}

// isEnabled reports whether the policy adds objects.
func (p *Policy) isEnabled() bool { return p != nil && p.Type != TypeNone && p.Type != "" }
