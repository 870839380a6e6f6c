package admission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/graph/topo"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// MissingApp is an app to install first, and its version range.
type MissingApp struct {
	App     string
	Version string
}

// maxDependencies is the maximum number of apps that one task installs.
const maxDependencies = 40

// ResolveDependencies returns the missing direct and transitive dependencies of an app, sorted so
// that each app follows its own dependencies. It returns an error that lists the apps of a
// dependency cycle.
func ResolveDependencies(ctx context.Context, o *Operation) ([]MissingApp, error) {
	instances, err := listInstances(ctx, o)
	if err != nil {
		return nil, err
	}
	graph := newDependencyGraph(o.AppRef.Name)
	for open := []string{graph.root}; len(open) > 0; open = open[1:] {
		summary, err := findInstallableSummary(ctx, o, open[0])
		if err != nil {
			return nil, err
		}
		missing, err := missingDependencies(ctx, o, summary, instances)
		if err != nil {
			return nil, err
		}
		for _, d := range missing {
			if d.Name == open[0] {
				return nil, dependencyCycleError([]string{d.Name})
			}
			if graph.addDependency(open[0], d) {
				open = append(open, d.Name)
			}
		}
		if len(graph.ids) > maxDependencies {
			return nil, outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf("app %q requires more than %d other apps; install some of them first", graph.root, maxDependencies))
		}
	}
	return graph.sortApps()
}

// dependencyGraph contains the apps that an app needs. An edge leads from an app to an app that
// needs it.
type dependencyGraph struct {
	*simple.DirectedGraph
	root   string
	ids    map[string]int64
	names  map[int64]string
	ranges map[string]string
}

func newDependencyGraph(root string) *dependencyGraph {
	g := &dependencyGraph{
		DirectedGraph: simple.NewDirectedGraph(), root: root,
		ids: map[string]int64{}, names: map[int64]string{}, ranges: map[string]string{},
	}
	g.nodeFor(root)
	return g
}

// nodeFor returns the node of an app, and adds it if it does not exist.
func (g *dependencyGraph) nodeFor(app string) graph.Node {
	if _, known := g.ids[app]; !known {
		g.ids[app] = int64(len(g.ids))
		g.names[g.ids[app]] = app
		g.AddNode(simple.Node(g.ids[app]))
	}
	return simple.Node(g.ids[app])
}

// addDependency adds a dependency of an app, and reports whether it is a new app.
func (g *dependencyGraph) addDependency(app string, d v1alpha1.AppDependency) bool {
	_, known := g.ids[d.Name]
	if !known {
		g.ranges[d.Name] = d.Version
	}
	g.SetEdge(simple.Edge{F: g.nodeFor(d.Name), T: g.nodeFor(app)})
	return !known
}

// sortApps returns the apps without the root, sorted so that each app follows its dependencies.
func (g *dependencyGraph) sortApps() ([]MissingApp, error) {
	sorted, err := topo.SortStabilized(g, nil)
	if loops, ok := errors.AsType[topo.Unorderable](err); ok {
		var apps []string
		for _, n := range loops[0] {
			apps = append(apps, g.names[n.ID()])
		}
		return nil, dependencyCycleError(apps)
	}
	var needs []MissingApp
	for _, n := range sorted {
		if app := g.names[n.ID()]; app != g.root {
			needs = append(needs, MissingApp{App: app, Version: g.ranges[app]})
		}
	}
	return needs, nil
}

func dependencyCycleError(apps []string) error {
	slices.Sort(apps)
	var quoted []string
	for _, app := range apps {
		quoted = append(quoted, strconv.Quote(app))
	}
	return outcome.Stalled(v1alpha1.ReasonDependencyCycle, fmt.Errorf(
		"the dependencies of %s form a cycle; report this to the developers of these apps", strings.Join(quoted, ", ")))
}

// findInstallableSummary returns the summary of an app of the same source. It returns a terminal
// error if the app cannot be installed.
func findInstallableSummary(ctx context.Context, o *Operation, name string) (*v1alpha1.AppSummary, error) {
	app, err := o.Catalog.Find(ctx, o.toDependencyRef(name), o.Tenant.Namespace)
	if outcome.IsStalled(err) {
		return nil, outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf("dependency %q cannot be installed: %w", name, err))
	}
	if err != nil {
		return nil, err
	}
	return app.Info.Status.Summary, nil
}
