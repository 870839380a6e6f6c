package appinstance

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/text"
)

// setDeclaredEntrances sets the entrances that the app declares, with the Services of its releases
// and the titles from the spec. An entrance without a Service has no host. The entrances that were
// recognized for an app without declared entrances are kept until the objects are observed.
func (s *scope) setDeclaredEntrances(draft *hydrate.Draft) {
	st := &s.instance.Status
	declared := s.listDeclared(draft)
	if len(declared) > 0 || len(st.Entrances) > 0 && isDeclared(st.Entrances[0]) {
		st.Entrances = declared
	}
	setEntranceTitles(s.instance, st.Entrances)
}

// listDeclared returns the entrances in the app manifest. URLs of earlier entrances are kept until
// the objects are observed.
func (s *scope) listDeclared(draft *hydrate.Draft) []v1alpha1.Entrance {
	m := draft.Manifest
	if m == nil || len(m.Entrances) == 0 || m.IsSharedIn(s.instance.Namespace) {
		return nil // Users access the app through the instances that use this shared chart.
	}
	services := draft.AllServices()
	var out []v1alpha1.Entrance
	for _, e := range catalog.FirstItems(m.Entrances, 50) {
		declared := catalog.ToEntrance(e)
		shown := v1alpha1.Entrance{Name: declared.Name, Title: declared.Title, Host: declared.Host, Port: declared.Port, Hidden: declared.Hidden}
		if slices.ContainsFunc(out, func(other v1alpha1.Entrance) bool { return other.Name == shown.Name }) {
			continue // Their long names start with the same characters.
		}
		// A name with a dot refers to another namespace.
		if shown.Host != "" && !strings.Contains(shown.Host, ".") {
			shown.Host = s.entranceService(services, e)
		}
		for _, before := range s.instance.Status.Entrances {
			if before.Name == shown.Name && before.Host == shown.Host && before.Port == shown.Port && !shown.Hidden {
				shown.URL = before.URL
			}
		}
		out = append(out, shown)
	}
	return out
}

// isDeclared reports whether the app declares an entrance.
func isDeclared(e v1alpha1.Entrance) bool { return e.Kind == "" }

// observeEntrances sets the URLs of the entrances from the objects of the instance. If the app
// declares no entrances, they are recognized from its objects. Nothing changes until the objects are
// observed, and while the instance is stopped, because only its workloads are observed then.
func (r *Reconciler) observeEntrances(s *scope) {
	st := &s.instance.Status
	if st.Stopped {
		return
	}
	endpoints, known := r.Monitor.Endpoints(client.ObjectKeyFromObject(s.instance))
	if !known {
		return
	}
	entrances := slices.Clone(st.Entrances)
	switch {
	case len(entrances) > 0 && isDeclared(entrances[0]):
		r.Addresses.SetURLs(entrances, endpoints)
	case hasSharedChart(s.instance):
		entrances = nil
	default:
		entrances = r.Addresses.RecognizeEntrances(endpoints)
		setEntranceTitles(s.instance, entrances)
	}
	st.Entrances = entrances
}

// hasSharedChart reports whether an instance is the shared chart of an app, which is installed in
// the namespace of that chart. Users open the instances that use it.
func hasSharedChart(instance *v1alpha1.AppInstance) bool {
	return slices.ContainsFunc(instance.Status.Releases, func(r v1alpha1.Release) bool {
		return r.Unit != "" && hydrate.SharedNamespace(r.Unit) == instance.Namespace
	})
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

// toOutputs returns the values that other apps can use. They do not depend on the objects that were
// observed.
func toOutputs(instance *v1alpha1.AppInstance) []v1alpha1.Output {
	out := []v1alpha1.Output{{Name: "namespace", Value: instance.Namespace}, {Name: "version", Value: instance.Status.Version}}
	for _, e := range catalog.FirstItems(instance.Status.Entrances, 20) {
		if e.Host == "" || !isDeclared(e) {
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
