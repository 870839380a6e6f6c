package hydrate

import (
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/objects"
)

// Service is a Service that a chart creates.
type Service struct {
	// Name is the name of the Service, and Release the name of the release that creates it.
	Name, Release string
	Ports         []int32
}

// servicesOf returns the Services of a release that are in the namespace of the instance.
func servicesOf(documents []objects.Document, namespace, release string) ([]Service, error) {
	var all []Service
	for _, doc := range documents {
		if doc.Hook || !strings.Contains(doc.Text, "Service") {
			continue
		}
		err := objects.EachObject(doc, func(o objects.Map) error {
			meta, _ := o["metadata"].(objects.Map)
			if o.Kind() != "Service" || o.TextAt("apiVersion") != "v1" || !isInNamespace(meta, namespace) {
				return nil
			}
			spec, _ := o["spec"].(objects.Map)
			all = append(all, Service{Name: meta.TextAt("name"), Release: release, Ports: portsOf(spec)})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func isInNamespace(meta objects.Map, namespace string) bool {
	own := meta.TextAt("namespace")
	return own == "" || own == namespace
}

func portsOf(spec objects.Map) []int32 {
	var ports []int32
	items, _ := spec["ports"].([]any)
	for _, item := range items {
		port, _ := item.(objects.Map)
		if number, ok := port["port"].(int); ok && number > 0 && number <= 65535 {
			ports = append(ports, int32(number))
		}
	}
	return ports
}

// FindService returns the Service that an entrance refers to, or nil. The host of an
// entrance is the name that the Service has if the release is named after the app; in
// another release the name may differ. The rules, in order, are: the Service is named host;
// it is named <release>-<host>; it is named after the release; its name ends with -<host>;
// it has the port. The second, third and fourth rule also require that the Service has the
// port, unless port is 0 or the Service lists no ports. A rule that matches Services with
// different names is skipped.
func FindService(services []Service, host string, port int32) *Service {
	has := func(s Service) bool { return port == 0 || len(s.Ports) == 0 || slices.Contains(s.Ports, port) }
	for _, fits := range []func(Service) bool{
		func(s Service) bool { return s.Name == host },
		func(s Service) bool { return s.Name == s.Release+"-"+host && has(s) },
		func(s Service) bool { return s.Name == s.Release && has(s) },
		func(s Service) bool { return strings.HasSuffix(s.Name, "-"+host) && has(s) },
		func(s Service) bool { return port != 0 && slices.Contains(s.Ports, port) },
	} {
		at := slices.IndexFunc(services, fits)
		if at < 0 {
			continue
		}
		isOther := func(s Service) bool { return fits(s) && s.Name != services[at].Name }
		if !slices.ContainsFunc(services[at+1:], isOther) {
			return &services[at]
		}
	}
	return nil
}
