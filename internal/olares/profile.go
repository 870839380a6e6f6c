package olares

import (
	"maps"
	"path"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/inputs"
)

// Helm is the profile of plain charts: they bring all of their values.
type HelmProfile struct{}

// Olares is the profile of charts written for Olares. It renders them for an
// administrator on a node without GPU; what a market keeper knows better is
// merged over it, and at install what the tenant's platform has.
type Profile struct{}

var (
	_ hydrate.Profile = HelmProfile{}
	_ hydrate.Profile = Profile{}
)

// Values is an empty map.
func (HelmProfile) Values(*hydrate.Manifest, hydrate.Place) map[string]any { return map[string]any{} }

// Values gives every parent that charts of Olares read, as they fail to render
// where one is missing, and fills those that follow from the manifest: domain,
// olaresEnv, workloads, os and the names in the middleware blocks. Equal
// manifests and places give equal values, and no map is shared between two calls.
func (Profile) Values(m *hydrate.Manifest, at hydrate.Place) map[string]any {
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

// folder is where an app keeps what is its own, below the user's folders: no two
// instances share it, and no two apps.
func appDataPath(m *hydrate.Manifest, at hydrate.Place) string {
	return path.Join(firstNonEmpty(at.Namespace, hydrate.RenderNamespace), firstNonEmpty(at.Instance, m.Name))
}

// domains maps an entrance to its host name.
func entranceHosts(m *hydrate.Manifest) map[string]any {
	hosts := map[string]any{}
	for _, e := range m.Entrances {
		hosts[e.Name] = e.Name + "." + userZone
	}
	return hosts
}

func workloadValues(m *hydrate.Manifest) map[string]any {
	all := map[string]any{}
	for name, replicas := range m.WorkloadReplicas {
		all[name] = map[string]any{"replicaCount": int64(replicas)}
	}
	return all
}

// appKeys are the key and secret of the app at the system's own interfaces. A
// chart reads them at the top or under the name of the app.
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

// middlewares are the blocks that charts know, with what this app asks for, and
// a block for any other name that it asks for.
func middlewareValues(m *hydrate.Manifest) map[string]any {
	blocks := map[string]any{}
	for _, kind := range middlewareKinds {
		blocks[kind.name] = kind.toValues(m.Middlewares[kind.name])
	}
	for name, asked := range m.Middlewares {
		if _, known := blocks[name]; !known {
			blocks[name] = middlewareKind{name: name, maps: []string{"databases"}}.toValues(asked)
		}
	}
	return blocks
}

// middlewareKind is a middleware with its usual port and the maps from a name
// that was asked for to the one that was given.
type middlewareKind struct {
	name string
	port int64
	maps []string
}

func (k middlewareKind) toValues(asked hydrate.Middleware) map[string]any {
	block := map[string]any{
		"host":     k.name + "." + middlewareZone,
		"port":     k.port,
		"username": firstNonEmpty(asked.Username, userName),
		"password": placeholder,
	}
	for i, key := range k.maps {
		names := map[string]any{}
		// Only the first is asked for by name in a manifest.
		if i == 0 {
			for _, name := range asked.Names {
				names[name] = name
			}
			if asked.Namespace != "" && key == "namespaces" {
				names[asked.Namespace] = asked.Namespace
			}
		}
		block[key] = names
	}
	return block
}
