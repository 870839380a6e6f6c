package olares

import (
	"maps"
	"path"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/inputs"
)

// HelmProfile is the profile of charts for Helm, which contain all of their values.
type HelmProfile struct{}

// Profile is the profile of charts for Olares. Its values are for an administrator and a node
// without a GPU. The platform values of the source, and during an installation the platform
// values of the tenant, override them.
type Profile struct{}

var (
	_ hydrate.Profile = HelmProfile{}
	_ hydrate.Profile = Profile{}
)

// Values returns an empty map.
func (HelmProfile) Values(*hydrate.Manifest, hydrate.InstallTarget) map[string]any {
	return map[string]any{}
}

// Values returns every map that charts for Olares read, because a chart fails to render if one
// is missing. The content of domain, olaresEnv, workloads, os and the middleware blocks
// depends on the manifest. Equal arguments return equal values, and two calls share no map.
func (Profile) Values(m *hydrate.Manifest, at hydrate.InstallTarget) map[string]any {
	if m == nil {
		m = &hydrate.Manifest{}
	}
	values := platformValues(appDataPath(m, at))
	values["domain"] = entranceHosts(m)
	values["olaresEnv"], _ = inputs.CheckInputs(m.Inputs, nil, nil)
	values["workloads"] = workloadValues(m)
	values["os"] = appKeyValues(m)
	maps.Copy(values, middlewareValues(m))
	return values
}

// appDataPath returns the path of the app's own data relative to the user's folders. It is
// unique for each instance and each app.
func appDataPath(m *hydrate.Manifest, at hydrate.InstallTarget) string {
	return path.Join(firstNonEmpty(at.Namespace, hydrate.RenderNamespace), firstNonEmpty(at.Instance, m.Name))
}

// entranceHosts returns the host name of each entrance.
func entranceHosts(m *hydrate.Manifest) map[string]any {
	hosts := map[string]any{}
	for _, e := range m.Entrances {
		hosts[e.Name] = e.Name + "." + userZone
	}
	return hosts
}

// workloadValues returns the number of replicas of each workload.
func workloadValues(m *hydrate.Manifest) map[string]any {
	all := map[string]any{}
	for name, replicas := range m.WorkloadReplicas {
		all[name] = map[string]any{"replicaCount": int64(replicas)}
	}
	return all
}

// appKeyValues returns the key and secret of the app for the API of the system. A chart reads
// them at the top level or in the map with the name of the app.
func appKeyValues(m *hydrate.Manifest) map[string]any {
	pair := func() map[string]any {
		return map[string]any{"appKey": placeholder, "appSecret": placeholder}
	}
	all := map[string]any{}
	if m.Name != "" {
		all[m.Name] = pair()
	}
	for _, chart := range m.SubCharts {
		all[chart.Name] = pair()
	}
	maps.Copy(all, pair())
	return all
}

// middlewareValues returns the blocks of all known middlewares and of all other middlewares
// that the app requests.
func middlewareValues(m *hydrate.Manifest) map[string]any {
	blocks := map[string]any{}
	for _, kind := range middlewareKinds {
		blocks[kind.name] = kind.toValues(m.Middlewares[kind.name])
	}
	for name, requested := range m.Middlewares {
		if _, known := blocks[name]; !known {
			blocks[name] = middlewareKind{name: name, maps: []string{"databases"}}.toValues(requested)
		}
	}
	return blocks
}

// middlewareKind describes a middleware: its default port, and the maps of its block that map
// each requested name to the provided name.
type middlewareKind struct {
	name string
	port int64
	maps []string
}

// toValues returns the block of a middleware with the names that the app requests.
func (k middlewareKind) toValues(requested hydrate.Middleware) map[string]any {
	block := map[string]any{
		"host":     k.name + "." + middlewareZone,
		"port":     k.port,
		"username": firstNonEmpty(requested.Username, userName),
		"password": placeholder,
	}
	for i, key := range k.maps {
		names := map[string]any{}
		// A manifest requests names only for the first map.
		if i == 0 {
			for _, name := range requested.Names {
				names[name] = name
			}
			if requested.Namespace != "" && key == "namespaces" {
				names[requested.Namespace] = requested.Namespace
			}
		}
		block[key] = names
	}
	return block
}
