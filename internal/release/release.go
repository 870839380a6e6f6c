// Package release is what controllers and adapters say to each other about Helm
// releases and the health of their objects, in plain types: no Helm SDK, no
// kstatus.
//
// A Client acts as one tenant and can do nothing that the tenant's service account
// may not. Its operations do not wait for objects to become ready; a Monitor
// follows them by watches.
package release

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
)

// Tenant is the service account that operations act as.
type Tenant struct {
	Namespace      string
	ServiceAccount string
}

// Spec is what a release should be.
type Spec struct {
	// Name of the release, at most 53 characters.
	Name string
	// Render renders the chart of the release for a revision, with the field ForRelease
	// of hydrate.RenderInput set. It is called once.
	Render func(ctx context.Context, revision hydrate.ReleaseRevision) (*hydrate.Rendered, error)
	// Values are those that the chart was rendered with, over its own. They are kept
	// with the release.
	Values map[string]any
	// Labels are kept with the release. A release that lacks one of them is
	// somebody else's and is not touched by Install.
	Labels map[string]string
	// MaxHistory is how many revisions are kept, all of them if zero.
	MaxHistory int
	// Timeout bounds each wait for a hook; five minutes if zero.
	Timeout time.Duration
	// Resumed says that the same was begun before, and that nobody knows how far it
	// came. A release that turns out to be complete is then left as it is; otherwise
	// Upgrade makes a new revision and runs the hooks in any case.
	Resumed bool
	// Unrecorded says that the release had no records a moment ago. They are not read again;
	// if another client has made one since, the operation fails and can be tried again.
	Unrecorded bool
}

// Release is the newest revision of a release.
type Release struct {
	Name      string
	Namespace string
	Revision  int
	// Status is one of Helm's words, such as deployed or failed.
	Status string
	// Pending says that an operation is under way or was cut off; see Settle.
	Pending bool
	// Interrupted says that an operation was cut off and then settled.
	Interrupted bool
	// Deployed says that this or an earlier revision was installed completely.
	Deployed     bool
	ChartName    string
	ChartVersion string
	AppVersion   string
	// Description is Helm's own word about the revision.
	Description string
	// Objects are those that the release consists of, hooks and CRDs left out.
	Objects []v1alpha1.ObjectReference
	Notes   string
	// Hooks is the number of hooks.
	Hooks int
	// Time is when the revision was made.
	Time time.Time
	// ConfigDigest is "sha256:<hex>" over the values given.
	ConfigDigest string
	// Labels are those of Spec, and Helm's own.
	Labels map[string]string
}

// Client carries out operations on the releases of a tenant's namespace. Errors
// carry InstallFailed, UpgradeFailed, UninstallFailed, PermissionDenied,
// SchemaViolation or RenderFailed where Helm or the API server refused; a plain
// error means that nothing was decided, and that trying again may help.
type Client interface {
	// Get returns the newest revision of a release, nil if there is none.
	Get(ctx context.Context, name string) (*Release, error)
	// Install makes a release. Hooks are waited for, readiness is not. A volume
	// claim of the chart outlives the release.
	Install(ctx context.Context, spec Spec) (*Release, error)
	// Upgrade brings a release to what spec says. An installation that was never
	// complete is continued by it.
	Upgrade(ctx context.Context, spec Spec) (*Release, error)
	// Uninstall removes a release, waits until its objects are gone, and keeps the
	// volume claims. The observer of ctx is notified of what is kept. A release that is
	// not there is no error.
	Uninstall(ctx context.Context, removal Removal) error
	// Rollback makes a new revision of what an earlier one was. RevisionNotFound
	// says that it is not recorded any more.
	Rollback(ctx context.Context, back Rollback) (*Release, error)
	// Adopt puts labels on the record of a release that somebody else made, and
	// changes nothing else. It returns the values that the release was given.
	Adopt(ctx context.Context, name string, labels map[string]string) (*Release, map[string]any, error)
	// Stop brings the workloads of a release to zero, Resume back to what they
	// were. Neither waits for pods.
	Stop(ctx context.Context, name string) error
	Resume(ctx context.Context, name string) error
	// Drift lists what differs from the newest revision, Correct mends it and
	// lists what it has mended.
	Drift(ctx context.Context, name string) ([]Drifted, error)
	Correct(ctx context.Context, name string) ([]Drifted, error)
	// Settle marks a release that an interrupted operation left pending as failed,
	// and changes nothing else, so that Upgrade or Uninstall can go on from there.
	Settle(ctx context.Context, name string) error
	// Abandon settles a release whose operation was ended because its result is not
	// wanted any more, and ends the hooks that it has left at work.
	Abandon(ctx context.Context, name string) error
	// Retained lists the objects that would outlive the newest revision of a release if
	// the release were removed: volume claims, and what is kept for their sake or
	// because the chart asks for it.
	Retained(ctx context.Context, name string) ([]v1alpha1.ObjectReference, error)
	// DeleteKept deletes volume claims that were kept, and with them their data, and then
	// the Namespaces that were kept for their sake.
	DeleteKept(ctx context.Context, kept []v1alpha1.ObjectReference) error
}

// Clients gives the client of a tenant, which refuses records that are not known. Without
// known it trusts every record.
type Clients func(tenant Tenant, known Records) Client

// Health is how the objects of an instance fare.
type Health struct {
	Total int
	Ready int
	// Missing counts the objects that do not exist any more.
	Missing int
	// KindMissing reports that the cluster does not serve the kind of one of them.
	KindMissing bool
	// Failed says that at least one will not become ready by itself. One that does not
	// exist is among them.
	Failed bool
	// Message names the first object that is not ready, and why; empty when all
	// are.
	Message string
	// Remark is what people need to know of the first object that is ready although it
	// lacks something, such as an address; empty if there is none.
	Remark string
}

// Healthy reports whether every object is ready.
func (h Health) Healthy() bool { return h.Ready == h.Total }

// Monitor follows the objects of instances by watches, as their tenants.
type Monitor interface {
	// Track begins to follow the objects of an instance, or others than before;
	// closely where every change counts and not only one of health.
	Track(ctx context.Context, instance types.NamespacedName, tenant Tenant, objects []v1alpha1.ObjectReference, closely bool) error
	// Refresh is called after the objects were changed: what was seen of them before
	// does not count any more.
	Refresh(ctx context.Context, instance types.NamespacedName) error
	// Untrack ends it.
	Untrack(instance types.NamespacedName)
	// Health is how the objects fare now. It is false while the watches have not
	// brought everything yet.
	Health(ctx context.Context, instance types.NamespacedName) (Health, bool, error)
	// Mark stands for what the objects are now: while it stays the same, nobody has
	// changed them. It is false for an instance that is not followed closely, and
	// while the watches have not brought everything yet.
	Digest(ctx context.Context, instance types.NamespacedName) (string, bool, error)
}
