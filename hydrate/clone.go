package hydrate

import (
	"context"
	"fmt"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/collision"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

// Verdicts on whether an app can be installed more than once.
const (
	// CloneSafe allows a second instance in the same namespace.
	CloneSafe = "Safe"
	// CloneNamespacedOnly allows a second instance only in another namespace.
	CloneNamespacedOnly = "NamespacedOnly"
	// CloneUnsafe does not allow a second instance in the cluster.
	CloneUnsafe = "Unsafe"
)

// CloneSafety describes where a second instance of an app can be installed.
type CloneSafety struct {
	// Verdict is CloneSafe, CloneNamespacedOnly or CloneUnsafe.
	Verdict string
	// Collisions lists the resources that both instances would claim, as sentences of at
	// most 253 bytes, such as "Ingress web: host app.example". The list is sorted and has
	// at most 50 entries. If there are more, collisions within one namespace are dropped
	// before collisions in every namespace.
	Collisions []string
}

// The release and the namespace in which the second instance is rendered. The release name
// is short because templates truncate long names, and it does not contain the name of the
// chart because the usual naming helper checks for that. The namespace has the same length
// as RenderNamespace, so that texts that contain it are truncated at the same position.
const (
	secondRelease   = "twin"
	secondNamespace = "twin-ns"
)

// AnalyzeClone determines where a second instance of an app can be installed. units contains
// the first instance, which is already rendered. Shared units are ignored because a copy
// does not include them. The other units are rendered again with another release name, in
// another namespace, and with the platform values for that namespace. The instances collide
// on resources that are the same in both renderings, in any namespace, and on resources
// that differ only in the namespace, if they are in the same namespace. Names that are
// generated at random differ and never collide.
//
// A chart that fails with another release name, or that has too many objects to compare, is
// unsafe, and Collisions contains the reason. An error means that the renderer was not
// available.
func AnalyzeClone(ctx context.Context, r Renderer, d *Draft, files []chart.File, units []Unit) (*CloneSafety, error) {
	app := d.Chart.Name
	safety, err := compareInstances(ctx, r, d, files, units)
	if err != nil && ctx.Err() == nil && outcome.IsStalled(err) {
		sentence := fmt.Sprintf("Chart %s: fails with another release name: %v", app, err)
		return &CloneSafety{Verdict: CloneUnsafe, Collisions: []string{text.Printable(sentence, collision.MaxCollisionBytes)}}, nil
	}
	return safety, err
}

func compareInstances(ctx context.Context, r Renderer, d *Draft, files []chart.File, units []Unit) (*CloneSafety, error) {
	units, err := InstallTarget{Namespace: RenderNamespace}.unitsFor(units, d.Manifest)
	if err != nil {
		return nil, err
	}
	placed := make([]collision.Release, 0, len(units))
	for _, u := range units {
		placed = append(placed, collision.Release{Namespace: RenderNamespace, Documents: u.Documents})
	}
	first, err := collision.NewClaimSet(placed)
	if err != nil {
		return nil, err
	}
	second, err := renderSecondInstance(ctx, r, d, files, units)
	if err != nil {
		return nil, err
	}
	sameNamespace := second.ReplaceNamespace(secondNamespace, RenderNamespace)
	across := first.SharedWith(second, "same name in all namespaces", collision.ClaimSet{})
	within := first.SharedWith(sameNamespace, "same name in all releases", second)
	safety := &CloneSafety{Verdict: CloneSafe, Collisions: collision.ListCollisions(across, within)}
	switch {
	case len(across) > 0:
		safety.Verdict = CloneUnsafe
	case len(within) > 0:
		safety.Verdict = CloneNamespacedOnly
	}
	return safety, nil
}

// renderSecondInstance renders every unit as part of the second instance. The release names
// follow the rule of ReleaseName.
func renderSecondInstance(ctx context.Context, r Renderer, d *Draft, files []chart.File, units []Unit) (collision.ClaimSet, error) {
	at := InstallTarget{Namespace: secondNamespace, Instance: secondRelease}
	second := d.Request
	second.At = at
	values := second.platformValues(d.Manifest)
	placed := make([]collision.Release, 0, len(units))
	for _, u := range units {
		out, err := r.Render(ctx, RenderInput{
			Files: UnitFiles(files, u.Dir), Values: values, Release: at.releaseName(d.Chart.Name, u.Name), Namespace: at.Namespace,
			Schemas: SchemasIgnored, AnyOrder: true,
		})
		if err != nil {
			return collision.ClaimSet{}, err
		}
		placed = append(placed, collision.Release{Namespace: at.Namespace, Documents: objects.ShareParsed(out.Documents, u.Documents)})
	}
	return collision.NewClaimSet(placed)
}
