package addresses

import (
	"cmp"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Kinds of endpoints.
const (
	kindService   = "Service"
	kindIngress   = "Ingress"
	kindHTTPRoute = "HTTPRoute"
)

// gatewayGroup is the API group of HTTPRoutes.
const gatewayGroup = "gateway.networking.k8s.io"

// maxEndpointParts is the maximum number of ports or backends of one endpoint.
const maxEndpointParts = 32

// Endpoint is the part of a Service, Ingress or HTTPRoute that determines its address.
type Endpoint struct {
	Kind, Name string
	// Entrance is the name of the entrance for which a policy added the object. It is empty for
	// all other objects.
	Entrance string
	// Host is the DNS name or IP address of the object. It is empty if it has none.
	Host string
	// Port is the port at Host of an HTTPRoute, and Path the first path of an Ingress or HTTPRoute.
	Port int32
	Path string
	// HasTLS reports whether an Ingress or HTTPRoute serves HTTPS.
	HasTLS bool
	// Gateway is the first Gateway of an HTTPRoute. Its namespace is empty if the
	// HTTPRoute does not specify it.
	Gateway Gateway
	// Backends are the Services of an Ingress or HTTPRoute.
	Backends []Backend
	// Ports are the TCP ports of a Service that can be opened, in order.
	Ports []ServicePort
	// IsExposed reports whether a Service has the type LoadBalancer.
	IsExposed bool
}

// Backend is a port of a Service. The port is 0 if only its name is known.
type Backend struct {
	Service  string
	Port     int32
	PortName string
}

// ServicePort is a port of a Service.
type ServicePort struct {
	Name     string
	Number   int32
	Protocol string // appProtocol
}

// IsEndpoint reports whether objects of a kind can be endpoints.
func IsEndpoint(kind schema.GroupKind) bool {
	switch kind {
	case schema.GroupKind{Kind: kindService}, schema.GroupKind{Group: networkingv1.GroupName, Kind: kindIngress},
		schema.GroupKind{Group: gatewayGroup, Kind: kindHTTPRoute}:
		return true
	}
	return false
}

// EndpointOf returns the endpoint of an object. It returns nil for an object that is not an
// endpoint or whose fields have unexpected types.
func EndpointOf(object *unstructured.Unstructured) *Endpoint {
	kind := object.GroupVersionKind().GroupKind()
	if !IsEndpoint(kind) {
		return nil
	}
	e := &Endpoint{Kind: kind.Kind, Name: object.GetName(), Entrance: object.GetAnnotations()[v1alpha1.EntranceAnnotation]}
	isValid := false
	switch kind.Kind {
	case kindService:
		isValid = readObject(object, e.setService)
	case kindIngress:
		isValid = readObject(object, e.setIngress)
	case kindHTTPRoute:
		isValid = readObject(object, e.setRoute)
	}
	if !isValid {
		return nil
	}
	return e
}

// readObject decodes an object and calls set with it. It reports whether that was possible.
func readObject[T any](object *unstructured.Unstructured, set func(*T)) bool {
	typed := new(T)
	if runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed) != nil {
		return false
	}
	set(typed)
	return true
}

func (e *Endpoint) setService(service *corev1.Service) {
	e.IsExposed = service.Spec.Type == corev1.ServiceTypeLoadBalancer
	if service.Spec.ClusterIP == corev1.ClusterIPNone || service.Spec.Type == corev1.ServiceTypeExternalName {
		return // A headless Service has no address.
	}
	for _, port := range firstItems(service.Spec.Ports) {
		if cmp.Or(port.Protocol, corev1.ProtocolTCP) == corev1.ProtocolTCP {
			protocol := ""
			if port.AppProtocol != nil {
				protocol = *port.AppProtocol
			}
			e.Ports = append(e.Ports, ServicePort{Name: port.Name, Number: port.Port, Protocol: protocol})
		}
	}
	if e.IsExposed {
		setAddress(e, service.Status.LoadBalancer.Ingress, func(a corev1.LoadBalancerIngress) string { return cmp.Or(a.Hostname, a.IP) })
	}
}

// setAddress sets the host to the first valid address of a load balancer.
func setAddress[T any](e *Endpoint, addresses []T, toHost func(T) string) {
	for _, one := range firstItems(addresses) {
		if e.setHost(toHost(one)) {
			return
		}
	}
}

func (e *Endpoint) setIngress(ingress *networkingv1.Ingress) {
	rules := firstItems(ingress.Spec.Rules)
	main := slices.IndexFunc(rules, func(rule networkingv1.IngressRule) bool { return e.setHost(rule.Host) })
	if main < 0 {
		main = slices.IndexFunc(rules, func(rule networkingv1.IngressRule) bool { return rule.Host == "" })
	}
	if main >= 0 {
		e.addPaths(rules[main])
	}
	for _, rule := range rules {
		e.addPaths(rule)
	}
	e.addBackend(ingress.Spec.DefaultBackend)
	isWithoutHost := main >= 0 || ingress.Spec.DefaultBackend != nil
	if e.Host == "" && isWithoutHost {
		setAddress(e, ingress.Status.LoadBalancer.Ingress, func(a networkingv1.IngressLoadBalancerIngress) string { return cmp.Or(a.Hostname, a.IP) })
	}
	e.HasTLS = slices.ContainsFunc(ingress.Spec.TLS, func(tls networkingv1.IngressTLS) bool { return isCovered(e.Host, tls.Hosts) })
}

// addPaths adds the backends of a rule of an Ingress, and sets the path if it is not set yet.
func (e *Endpoint) addPaths(rule networkingv1.IngressRule) {
	if rule.HTTP == nil {
		return
	}
	for _, path := range firstItems(rule.HTTP.Paths) {
		if e.Path == "" {
			e.setPath(path.Path)
		}
		e.addBackend(&path.Backend)
	}
}

func (e *Endpoint) addBackend(of *networkingv1.IngressBackend) {
	if of == nil || of.Service == nil || len(e.Backends) == maxEndpointParts {
		return
	}
	added := Backend{Service: of.Service.Name, Port: of.Service.Port.Number, PortName: of.Service.Port.Name}
	if !slices.Contains(e.Backends, added) {
		e.Backends = append(e.Backends, added)
	}
}

// isCovered reports whether a certificate for hosts is valid for a host. Without hosts it is valid
// for all hosts of the Ingress.
func isCovered(host string, hosts []string) bool {
	_, parent, _ := strings.Cut(host, ".")
	return len(hosts) == 0 || slices.Contains(hosts, host) || slices.Contains(hosts, "*."+parent)
}

// setHost sets the host if it is a DNS name or an IP address, and reports whether it did.
func (e *Endpoint) setHost(host string) bool {
	isValid := net.ParseIP(host) != nil || len(host) > 0 && len(validation.IsDNS1123Subdomain(host)) == 0
	if isValid {
		e.Host = host
	}
	return isValid
}

// setPath sets the path if it is an absolute path and not a regular expression.
func (e *Endpoint) setPath(path string) {
	e.Path = "/"
	isPlain := !strings.ContainsFunc(path, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`^$*+?()[]{}|\"<>`+"`#%", r)
	})
	if isPlain && strings.HasPrefix(path, "/") && len(path) <= 256 {
		e.Path = path
	}
}

// url returns the URL of a port of the endpoint. It returns "" without a host.
func (e *Endpoint) url(scheme Scheme, port int32) string {
	if e.Host == "" {
		return ""
	}
	host := e.Host
	switch {
	case port != 0 && port != defaultPort(scheme):
		host = net.JoinHostPort(host, strconv.Itoa(int(port)))
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	address := url.URL{Scheme: string(scheme), Host: host, Path: cmp.Or(e.Path, "/")}
	return address.String()
}

func defaultPort(scheme Scheme) int32 {
	if scheme == SchemeHTTPS {
		return 443
	}
	return 80
}

// firstItems returns the first maxEndpointParts items of a list.
func firstItems[T any](list []T) []T { return list[:min(len(list), maxEndpointParts)] }
