package hydrate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
)

// Place is where an app is installed: the instance, after which its releases are
// named, and its namespace. The zero Place is that of an app that is not installed;
// then the app's own names and RenderNamespace stand in.
type Place struct {
	Namespace string
	Instance  string
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
