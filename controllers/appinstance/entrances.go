package appinstance

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/appmarket/operator/internal/inputs"

	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/text"
)

// entranceStatus returns the entrances of the app with the Services of its releases and the
// titles from the spec. An entrance without a Service has no host.
func (s *scope) entranceStatus(draft *hydrate.Draft) []v1alpha1.Entrance {
	m := draft.Manifest
	if m == nil || len(m.Entrances) == 0 || m.IsSharedIn(s.instance.Namespace) {
		return nil // Users access the app through the instances that use this shared chart.
	}
	services := draft.AllServices()
	var out []v1alpha1.Entrance
	for _, e := range catalog.FirstItems(m.Entrances, 50) {
		declared := catalog.ToEntrance(e)
		shown := v1alpha1.Entrance{Name: declared.Name, Title: declared.Title, Host: declared.Host, Port: declared.Port, Hidden: declared.Hidden}
		// A name with a dot refers to another namespace.
		if shown.Host != "" && !strings.Contains(shown.Host, ".") {
			shown.Host = s.entranceService(services, e)
		}
		out = append(out, shown)
	}
	setEntranceTitles(s.instance, out)
	return out
}

// entranceService returns the name of the Service of an entrance. If there is none, it emits an
// event and returns "".
func (s *scope) entranceService(services []hydrate.Service, e inputs.Entrance) string {
	if found := hydrate.FindService(services, e.Host, e.Port); found != nil {
		return text.Limit(found.Name, 253)
	}
	s.statusWriter.Event("", corev1.EventTypeWarning, v1alpha1.EventEntranceWithoutService, fmt.Sprintf(
		"entrance %q: no Service of the releases matches host %q and port %d; the instance has no output for the entrance",
		e.Name, e.Host, e.Port))
	return ""
}

// setEntranceTitles sets the titles of entrances from the spec.
func setEntranceTitles(instance *v1alpha1.AppInstance, of []v1alpha1.Entrance) {
	for i := range of {
		for _, own := range instance.Spec.Entrances {
			if own.Name == of[i].Name {
				of[i].Title = own.Title
			}
		}
	}
}

// toOutputs returns the values that other apps can use.
func toOutputs(instance *v1alpha1.AppInstance) []v1alpha1.Output {
	out := []v1alpha1.Output{{Name: "namespace", Value: instance.Namespace}, {Name: "version", Value: instance.Status.Version}}
	for _, e := range catalog.FirstItems(instance.Status.Entrances, 20) {
		if e.Host == "" {
			continue
		}
		host := e.Host + "." + instance.Namespace + ".svc"
		out = append(out,
			v1alpha1.Output{Name: "entrances." + e.Name + ".host", Value: host},
			v1alpha1.Output{Name: "entrances." + e.Name + ".port", Value: strconv.Itoa(int(e.Port))},
			v1alpha1.Output{Name: "entrances." + e.Name + ".url", Value: "http://" + net.JoinHostPort(host, strconv.Itoa(int(e.Port)))})
	}
	return out
}
