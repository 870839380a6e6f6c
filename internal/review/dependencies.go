package review

import (
	"errors"
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/graph/topo"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/text"
)

const (
	// application is the type of a dependency that is another app of the source.
	application = "application"
	// maxDependencies is the maximum number of dependencies in status.
	maxDependencies = 50
	// maxProblem is the maximum length of the problem of a dependency in bytes.
	maxProblem = 512
)

// dependencyGraph contains the dependencies of an app, direct and indirect.
type dependencyGraph struct {
	edges    []v1alpha1.ReviewedDependency
	problems []string
	// cycle names the apps of a cycle, beginning and ending with the same app.
	cycle []string
}

// resolveDependencies returns the dependencies of an app. The dependencies of an app that does not
// exist are unknown.
func resolveDependencies(source *v1alpha1.MarketSource, app *v1alpha1.AppInfo, find FindApp) (*dependencyGraph, error) {
	g := &dependencyGraph{}
	known := map[string]*v1alpha1.AppInfo{app.Spec.App: app}
	for open := []*v1alpha1.AppInfo{app}; len(open) > 0; open = open[1:] {
		for _, d := range requiredApps(open[0]) {
			if len(g.edges) == maxDependencies {
				g.problems = append(g.problems, fmt.Sprintf("the app has more than %d dependencies", maxDependencies))
				return g, nil
			}
			found, isKnown := known[d.Name]
			if !isKnown {
				var err error
				if found, err = find(d.Name); err != nil {
					return nil, err
				}
				known[d.Name] = found
				if found != nil {
					open = append(open, found)
				}
			}
			g.addDependency(source, open[0].Spec.App, d, found)
		}
	}
	g.cycle = findCycle(g.edges)
	return g, nil
}

// requiredApps returns the apps of the same source that an app requires.
func requiredApps(app *v1alpha1.AppInfo) []v1alpha1.AppDependency {
	if app.Status.Summary == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(app.Status.Summary.Dependencies), func(d v1alpha1.AppDependency) bool {
		return d.Type != application || !d.Required
	})
}

// addDependency adds a dependency and what prevents its installation.
func (g *dependencyGraph) addDependency(source *v1alpha1.MarketSource, app string, d v1alpha1.AppDependency, found *v1alpha1.AppInfo) {
	edge := v1alpha1.ReviewedDependency{App: app, Requires: d.Name, Versions: d.Version}
	edge.Found, edge.Problem = offeredVersion(source, d, found)
	if edge.Problem != "" {
		edge.Problem = text.Limit(edge.Problem, maxProblem)
		g.problems = append(g.problems, fmt.Sprintf("app %q requires app %q: %s", app, d.Name, edge.Problem))
	}
	g.edges = append(g.edges, edge)
}

// offeredVersion returns the version of a dependency that can be installed, or why there is none.
func offeredVersion(source *v1alpha1.MarketSource, d v1alpha1.AppDependency, found *v1alpha1.AppInfo) (version, problem string) {
	if found == nil {
		return "", fmt.Sprintf("source %q has no such app; add it, or ask the developer to remove the dependency", source.Name)
	}
	if _, err := semver.NewConstraint(d.Version); d.Version != "" && err != nil {
		return "", fmt.Sprintf("%q is not a range of versions; correct the dependency in the chart", d.Version)
	}
	versions := catalog.OfferedVersions(source, found.Status.Versions)
	match := newestInRange(versions, d.Version)
	if match == nil {
		if d.Version == "" {
			return "", "it has no version that can be installed"
		}
		return "", fmt.Sprintf("it has no version that matches %q and can be installed", d.Version)
	}
	switch listing := catalog.EffectiveListing(source, found); listing {
	case v1alpha1.ListingListed:
		return match.Version, ""
	case v1alpha1.ListingDraft:
		return match.Version, "it is a draft; list it first"
	case v1alpha1.ListingSuspended:
		return match.Version, "it is suspended and cannot be newly installed"
	default:
		return match.Version, "it is withdrawn and cannot be installed"
	}
}

// newestInRange returns the latest version in a valid range, nil if there is none. An empty range contains every
// version.
func newestInRange(versions []v1alpha1.PublishedVersion, allowed string) *v1alpha1.PublishedVersion {
	if len(versions) == 0 {
		return nil
	}
	if allowed == "" {
		return catalog.NewestVersion(versions)
	}
	found, err := catalog.SelectVersion(versions, allowed)
	if err != nil {
		return nil // The constraint was checked.
	}
	return found
}

// findCycle returns the apps of a cycle in order, the first one again at the end. It returns nil if
// there is none.
func findCycle(edges []v1alpha1.ReviewedDependency) []string {
	g, ids, names := simple.NewDirectedGraph(), map[string]int64{}, map[int64]string{}
	node := func(app string) graph.Node {
		id, isKnown := ids[app]
		if !isKnown {
			id = int64(len(ids))
			ids[app], names[id] = id, app
			g.AddNode(simple.Node(id))
		}
		return simple.Node(id)
	}
	for _, e := range edges {
		if e.App == e.Requires {
			return []string{e.App, e.App}
		}
		g.SetEdge(simple.Edge{F: node(e.App), T: node(e.Requires)})
	}
	if _, err := topo.Sort(g); err == nil {
		return nil
	} else if loops, ok := errors.AsType[topo.Unorderable](err); ok && len(loops) > 0 {
		return orderCycle(g, loops[0], names)
	}
	return nil
}

// orderCycle returns the names of apps of a strongly connected part of the graph in the order of a
// cycle in it.
func orderCycle(g *simple.DirectedGraph, part []graph.Node, names map[int64]string) []string {
	within := map[int64]bool{}
	for _, n := range part {
		within[n.ID()] = true
	}
	var path []int64
	for at := smallestNode(part, names); ; {
		if first := slices.Index(path, at); first >= 0 {
			path = append(path[first:], at)
			break
		}
		path = append(path, at)
		var next []graph.Node
		for _, n := range graph.NodesOf(g.From(at)) {
			if within[n.ID()] {
				next = append(next, n)
			}
		}
		at = smallestNode(next, names)
	}
	var cycle []string
	for _, id := range path {
		cycle = append(cycle, names[id])
	}
	return cycle
}

// smallestNode returns the node whose app is the first by name.
func smallestNode(nodes []graph.Node, names map[int64]string) int64 {
	return slices.MinFunc(nodes, func(a, b graph.Node) int {
		if names[a.ID()] < names[b.ID()] {
			return -1
		}
		return 1
	}).ID()
}
