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

// InstallTarget is the instance and the namespace in which an app is installed. Releases are named
// after the instance. The zero InstallTarget stands for an app that is not installed; the unit
// names and RenderNamespace are used then.
type InstallTarget struct {
	Namespace string
	Instance  string
}

// SharedNamespace returns the namespace in which a shared chart unit is installed, once per
// cluster. By a convention of Olares, charts reach its Services as <service>.<unit>-shared.
func SharedNamespace(unit string) string { return unit + "-shared" }

// IsSharedIn reports whether a shared unit of the app is installed in the namespace.
func (m *Manifest) IsSharedIn(namespace string) bool {
	return m != nil && slices.ContainsFunc(m.SubCharts, func(c SubChart) bool {
		return c.Shared && SharedNamespace(c.Name) == namespace
	})
}

// unitsFor returns the units of an app that are installed in the place: only the shared unit in
// the namespace of that unit, and all units that are not shared in any other namespace. If
// the place has no namespace, all units are returned. If all units are shared, it returns
// an error for namespaces other than theirs.
func (p InstallTarget) unitsFor(units []Unit, m *Manifest) ([]Unit, error) {
	if p.Namespace == "" || m == nil {
		return units, nil
	}
	var namespaces []string
	shared := map[string]bool{}
	for _, sub := range m.SubCharts {
		if !sub.Shared {
			continue
		}
		if SharedNamespace(sub.Name) == p.Namespace {
			return slices.DeleteFunc(slices.Clone(units), func(u Unit) bool { return u.Name != sub.Name }), nil
		}
		shared[sub.Name] = true
		namespaces = append(namespaces, SharedNamespace(sub.Name))
	}
	own := slices.DeleteFunc(slices.Clone(units), func(u Unit) bool { return shared[u.Name] })
	if len(own) == 0 {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidSpec, fmt.Errorf(
			"app %q consists of shared charts only and cannot be installed in namespace %q; install it in %s",
			m.Name, p.Namespace, strings.Join(namespaces, " or ")))
	}
	return own, nil
}

// RenderNamespace is the value of .Release.Namespace in hydration.
const RenderNamespace = "default"

// releaseNamespace returns the value of .Release.Namespace.
func (p InstallTarget) releaseNamespace() string { return cmp.Or(p.Namespace, RenderNamespace) }

// releaseName returns the value of .Release.Name in a chart unit of an app.
func (p InstallTarget) releaseName(app, unit string) string {
	if p.Instance == "" {
		return unit
	}
	return ReleaseName(p.Instance, app, unit)
}

// maxReleaseName is the maximum length that Helm allows for the name of a release.
const maxReleaseName = 53

// ReleaseName returns the name of the release of a chart unit in an instance of an app. The
// unit with the name of the app has the name of the instance. A name that is too long for
// Helm is truncated and gets a digest as a suffix to keep it unique.
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
