package release

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Client performs operations on the releases in the namespace of a tenant. Errors of Helm and
// rejections by the API server have the reason InstallFailed, UpgradeFailed, UninstallFailed,
// PermissionDenied, SchemaViolation or RenderFailed. Unclassified errors can be retried.
//
// A function that needs some of the operations takes the interface that contains them.
type Client interface {
	Reader
	Installer
	Adopter
	Uninstaller
	Recoverer
	Scaler
	DriftCorrector
}

// Clients returns the client of a tenant, which rejects records with unknown digests. If known
// is nil, it trusts every record.
type Clients func(tenant Tenant, known Records) Client

// Reader reads releases.
type Reader interface {
	// Get returns the newest revision of a release, nil if there is none.
	Get(ctx context.Context, name string) (*Release, error)
	// ListRetained lists the objects that would be kept if the release were removed: volume claims,
	// objects that the claims need, and objects that the chart marks to be kept.
	ListRetained(ctx context.Context, name string) ([]v1alpha1.ObjectReference, error)
	// ListObjects lists the objects in the recorded manifest of a revision, without hooks. It
	// returns RevisionNotFound if the record of the revision does not exist any more.
	ListObjects(ctx context.Context, name string, revision int) ([]RevisionObject, error)
}

// Installer creates revisions of releases.
type Installer interface {
	// Install creates a release. It waits for hooks, but not for readiness. Volume claims of
	// the chart are kept when the release is removed.
	Install(ctx context.Context, spec Spec) (*Release, error)
	// Upgrade updates a release to spec. It also completes an installation that was never
	// complete.
	Upgrade(ctx context.Context, spec Spec) (*Release, error)
	// Rollback creates a new revision from an earlier one. It returns RevisionNotFound if the
	// record of the earlier revision does not exist any more.
	Rollback(ctx context.Context, back Rollback) (*Release, error)
}

// Adopter adopts releases that another client created.
type Adopter interface {
	// Adopt adds labels to the record of a release that another client created, and changes
	// nothing else. It returns the values of the release.
	Adopt(ctx context.Context, name string, labels map[string]string) (*Release, map[string]any, error)
}

// Uninstaller removes releases and the objects that they keep.
type Uninstaller interface {
	// Uninstall removes a release, waits until its objects are deleted, and keeps the volume
	// claims. It notifies the observer of ctx of the objects that it keeps. A missing release
	// is not an error.
	Uninstall(ctx context.Context, removal Removal) error
	// DeleteKept deletes volume claims that were kept, including their data, and then the
	// Namespaces that were kept for them.
	DeleteKept(ctx context.Context, kept []v1alpha1.ObjectReference) error
}

// Recoverer unlocks releases whose operation has ended without a result.
type Recoverer interface {
	// Unlock marks a release as failed if an interrupted operation left it pending, so that
	// Upgrade or Uninstall can continue. It changes nothing else.
	Unlock(ctx context.Context, name string) error
	// CancelRelease does the same as Unlock after a canceled operation, and deletes the hooks that
	// are still running.
	CancelRelease(ctx context.Context, name string) error
}

// Scaler stops, resumes and restarts the workloads of releases. It does not wait for pods.
type Scaler interface {
	// Stop scales the workloads of a release to zero.
	Stop(ctx context.Context, name string) error
	// Resume restores the scale before Stop.
	Resume(ctx context.Context, name string) error
	// Restart replaces the pods of a release: it sets the time of the restart in the annotation
	// kubectl.kubernetes.io/restartedAt of the pod templates. If the time is nil, it removes the
	// annotation. Pod templates with that time are not changed.
	Restart(ctx context.Context, name string, at *metav1.Time) error
}

// DriftCorrector compares the objects of releases with the cluster.
type DriftCorrector interface {
	// Drift lists the objects that differ from the newest revision.
	Drift(ctx context.Context, name string) ([]Drifted, error)
	// Correct restores the objects that differ, and lists the restored objects.
	Correct(ctx context.Context, name string) ([]Drifted, error)
}
