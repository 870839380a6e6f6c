// Package release defines the types and interfaces that controllers and adapters use for Helm
// releases and the health of their objects. It depends on neither the Helm SDK nor kstatus.
//
// A Client acts as the service account of one tenant and has only its permissions. Operations
// do not wait for objects to become ready. A Monitor watches the objects.
package release

import (
	"context"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/addresses"
)

// Tenant identifies the service account that operations impersonate.
type Tenant struct {
	Namespace      string
	ServiceAccount string
}

// Spec specifies the desired state of a release.
type Spec struct {
	// Name of the release, at most 53 characters.
	Name string
	// Render renders the chart of the release for a revision, with the field ForRelease
	// of hydrate.RenderInput set. It is called once.
	Render func(ctx context.Context, revision hydrate.ReleaseRevision) (*hydrate.Rendered, error)
	// Values override the values of the chart, and were used to render it. They are stored in
	// the release.
	Values map[string]any
	// Labels are stored in the release. Install does not change a release that lacks one of
	// them, because another client created it.
	Labels map[string]string
	// MaxHistory is the number of revisions to keep. If zero, all revisions are kept.
	MaxHistory int
	// Timeout bounds the wait for each hook. Defaults to five minutes.
	Timeout time.Duration
	// Resumed reports that the same operation was started before and has no result. A complete
	// release is then left unchanged. Otherwise, Upgrade creates a new revision and runs the hooks.
	Resumed bool
	// Unrecorded reports that a recent check found no records of the release. They are not read
	// again. If another client has created one since, the operation starts again and reads them.
	Unrecorded bool
}

// Release is the newest revision of a release.
type Release struct {
	Name      string
	Namespace string
	Revision  int
	// Status is the status of the Helm release, such as deployed or failed.
	Status string
	// Pending reports that an operation is in progress or was interrupted; see Client.Unlock.
	Pending bool
	// Interrupted reports that an operation was interrupted, and marked as failed later.
	Interrupted bool
	// Deployed reports that this or an earlier revision was installed completely.
	Deployed     bool
	ChartName    string
	ChartVersion string
	AppVersion   string
	// Description is the description of the revision in Helm.
	Description string
	// Objects are the objects of the release without hooks and without CRDs of the folder crds.
	Objects []v1alpha1.ObjectReference
	Notes   string
	// Hooks is the number of hooks.
	Hooks int
	// Time is the creation time of the revision.
	Time time.Time
	// ConfigDigest is the digest of the values, as "sha256:<hex>".
	ConfigDigest string
	// Labels are the labels of Spec and of Helm.
	Labels map[string]string
}

// Health is the health of the objects of an instance.
type Health struct {
	Total int
	Ready int
	// Missing is the number of objects that do not exist.
	Missing int
	// NoKindMatch reports that the cluster does not serve the kind of at least one object.
	NoKindMatch bool
	// Failed reports that at least one object does not exist or has failed, and will not become
	// ready without a change.
	Failed bool
	// Message names the first object that is not ready, and why. It is empty if all objects are
	// ready.
	Message string
	// Remark describes the first object that is ready but lacks something, such as an address.
	// It is empty if there is none.
	Remark string
	// Unready lists the first objects that are not ready, at most MaxUnready, in the order of
	// v1alpha1.Inventory. It is nil if all objects are ready.
	Unready []v1alpha1.UnreadyObject
}

// MaxUnready is the maximum number of objects in Health.Unready.
const MaxUnready = 20

// IsHealthy reports whether every object is ready.
func (h Health) IsHealthy() bool { return h.Ready == h.Total }

// IsSame reports whether two results are the same.
func (h Health) IsSame(other Health) bool { return reflect.DeepEqual(h, other) }

// Monitor watches the objects of instances, as their tenants.
type Monitor interface {
	// Track starts to monitor the objects of an instance, or replaces the monitored objects. If
	// closely is set, all changes are detected, and otherwise only changes of the health.
	Track(ctx context.Context, instance types.NamespacedName, tenant Tenant, objects []v1alpha1.ObjectReference, closely bool) error
	// Refresh discards earlier observations of the objects of an instance. Call it after the
	// objects were changed.
	Refresh(ctx context.Context, instance types.NamespacedName) error
	// Untrack stops monitoring the objects of an instance.
	Untrack(instance types.NamespacedName)
	// Health returns the current health of an instance. It returns false until the initial
	// state of all objects is known.
	Health(ctx context.Context, instance types.NamespacedName) (Health, bool, error)
	// Endpoints returns the endpoints among the objects of an instance. It returns false until
	// their state after the last change is known.
	Endpoints(instance types.NamespacedName) ([]addresses.Endpoint, bool)
	// Digest returns a digest of the objects of an instance, which changes when one of them
	// changes. It returns false for an instance that is not monitored closely, and until the
	// initial state of all objects is known.
	Digest(ctx context.Context, instance types.NamespacedName) (string, bool, error)
}
