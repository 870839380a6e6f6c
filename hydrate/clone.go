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

// The verdicts on a second instance of an app.
const (
	// CloneSafe allows one in the same namespace.
	CloneSafe = "Safe"
	// CloneNamespacedOnly allows one in another namespace.
	CloneNamespacedOnly = "NamespacedOnly"
	// CloneUnsafe allows none in the cluster.
	CloneUnsafe = "Unsafe"
)

// CloneSafety says where a second instance of an app can live beside a first.
type CloneSafety struct {
	// Verdict is CloneSafe, CloneNamespacedOnly or CloneUnsafe.
	Verdict string
	// Collisions are what both instances would claim, one sentence each, as
	// "Ingress web: host app.example", sorted: at most 50, those that another
	// namespace does not help against before the others, of at most 253 bytes.
	Collisions []string
}

// secondRelease and secondNamespace are where the second instance is rendered. The
// name is short, because templates cut long ones, and it does not contain that of
// the chart, which the usual helper for names looks for. The namespace is as long as
// RenderNamespace, so that a text that holds it is cut where one with the other is.
const (
	secondRelease   = "twin"
	secondNamespace = "twin-ns"
)

// JudgeClone says whether a second instance of an app can live beside the first,
// which is in units, rendered already. Shared units have no part in a copy. The
// others are rendered once more, under another name and in another namespace, with
// what the platform gives there. What is the same then would be claimed by both (see
// Collisions), and what is the same but for the namespace by two in one namespace.
// Names that are rendered at random differ and do not count.
//
// A chart that fails under the other name is unsafe, and so is one that renders to
// more than can be compared; a sentence says so. An error means that the renderer
// could not be asked.
func JudgeClone(ctx context.Context, r Renderer, d *Draft, files []chart.File, units []Unit) (*CloneSafety, error) {
	app := d.Chart.Name
	safety, err := judgeClone(ctx, r, d, files, units)
	if err != nil && ctx.Err() == nil && outcome.IsStalled(err) {
		sentence := fmt.Sprintf("Chart %s: fails under another name: %v", app, err)
		return &CloneSafety{Verdict: CloneUnsafe, Collisions: []string{text.Printable(sentence, collision.MaxCollisionBytes)}}, nil
	}
	return safety, err
}

func judgeClone(ctx context.Context, r Renderer, d *Draft, files []chart.File, units []Unit) (*CloneSafety, error) {
	units, err := Place{Namespace: RenderNamespace}.part(units, d.Manifest)
	if err != nil {
		return nil, err
	}
	placed := make([]collision.Release, 0, len(units))
	for _, u := range units {
		placed = append(placed, collision.Release{Namespace: RenderNamespace, Documents: u.Documents})
	}
	first, err := collision.NewFootprint(placed)
	if err != nil {
		return nil, err
	}
	away, err := secondFootprint(ctx, r, d, files, units)
	if err != nil {
		return nil, err
	}
	beside := away.Renamed(secondNamespace, RenderNamespace)
	across := first.SharedWith(away, "same name in every namespace", collision.Footprint{})
	within := first.SharedWith(beside, "same name under every release", away)
	safety := &CloneSafety{Verdict: CloneSafe, Collisions: collision.ListCollisions(across, within)}
	switch {
	case len(across) > 0:
		safety.Verdict = CloneUnsafe
	case len(within) > 0:
		safety.Verdict = CloneNamespacedOnly
	}
	return safety, nil
}

// secondFootprint renders every unit as part of the second instance. Its releases are
// named as those of an instance are: the unit that bears the name of the app is named
// after the instance alone.
func secondFootprint(ctx context.Context, r Renderer, d *Draft, files []chart.File, units []Unit) (collision.Footprint, error) {
	at := Place{Namespace: secondNamespace, Instance: secondRelease}
	second := d.Request
	second.At = at
	values := second.platform(d.Manifest)
	placed := make([]collision.Release, 0, len(units))
	for _, u := range units {
		out, err := r.Render(ctx, RenderInput{
			Files: UnitFiles(files, u.Dir), Values: values, Release: at.release(d.Chart.Name, u.Name), Namespace: at.Namespace,
			Schemas: SchemasIgnored, AnyOrder: true,
		})
		if err != nil {
			return collision.Footprint{}, err
		}
		placed = append(placed, collision.Release{Namespace: at.Namespace, Documents: objects.ShareParsed(out.Documents, u.Documents)})
	}
	return collision.NewFootprint(placed)
}
