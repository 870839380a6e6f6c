package hydrate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// Place is where an app is installed: the instance, after which its releases are
// named, and its namespace. The zero Place is that of an app that is not installed;
// then the app's own names and RenderNamespace stand in.
type Place struct {
	Namespace string
	Instance  string
}

// SharedNamespace is where a shared chart unit of an app is installed, once for the
// whole cluster. The other units of the app look for it there: that is the
// convention of Olares, by which charts call <service>.<unit>-shared.
func SharedNamespace(unit string) string { return unit + "-shared" }

// Serves reports whether a shared unit of the app is what is installed in a
// namespace.
func (m *Manifest) Serves(namespace string) bool {
	return m != nil && slices.ContainsFunc(m.SubCharts, func(c SubChart) bool {
		return c.Shared && SharedNamespace(c.Name) == namespace
	})
}

// part are the units of an app that belong into the place: a shared one alone into
// its own namespace, the others into every other. While nothing is installed, it is
// all of them. Units that are shared without exception have their own namespaces
// only.
func (p Place) part(units []Unit, m *Manifest) ([]Unit, error) {
	if p.Namespace == "" || m == nil {
		return units, nil
	}
	var elsewhere []string
	shared := map[string]bool{}
	for _, sub := range m.SubCharts {
		if !sub.Shared {
			continue
		}
		if SharedNamespace(sub.Name) == p.Namespace {
			return slices.DeleteFunc(slices.Clone(units), func(u Unit) bool { return u.Name != sub.Name }), nil
		}
		shared[sub.Name] = true
		elsewhere = append(elsewhere, SharedNamespace(sub.Name))
	}
	own := slices.DeleteFunc(slices.Clone(units), func(u Unit) bool { return shared[u.Name] })
	if len(own) == 0 {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidSpec, fmt.Errorf(
			"app %s serves the whole cluster and has no part for namespace %s; install it in %s",
			m.Name, p.Namespace, strings.Join(elsewhere, " and ")))
	}
	return own, nil
}

// RenderNamespace is what .Release.Namespace says while nothing is installed.
const RenderNamespace = "default"

// namespace is what .Release.Namespace says.
func (p Place) namespace() string { return cmp.Or(p.Namespace, RenderNamespace) }

// release is what .Release.Name says in a chart unit of an app.
func (p Place) release(app, unit string) string {
	if p.Instance == "" {
		return unit
	}
	return ReleaseName(p.Instance, app, unit)
}

// maxReleaseName is Helm's bound on the name of a release.
const maxReleaseName = 53

// ReleaseName is that of the release of a chart unit in an instance of an app: the
// unit that bears the app's own name is named after the instance alone. A name
// longer than Helm accepts is cut, and told from others that begin alike by a
// digest.
func ReleaseName(instance, app, unit string) string {
	name := instance
	if unit != app {
		name += "-" + unit
	}
	if len(name) <= maxReleaseName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	tail := "-" + hex.EncodeToString(sum[:4])
	return name[:maxReleaseName-len(tail)] + tail
}
