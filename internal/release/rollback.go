package release

import (
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Rollback specifies the revision to which a release is rolled back.
type Rollback struct {
	// Name of the release, and the revision number of the Helm release to roll back to.
	Name     string
	Revision int
	// Labels are stored in the new revision; see Spec.
	Labels map[string]string
	// MaxHistory is the number of revisions to keep. If zero, all revisions are kept. The revision
	// that is rolled back to is always kept.
	MaxHistory int
	// Timeout bounds the wait for each hook. Defaults to five minutes.
	Timeout time.Duration
	// Resumed has the same meaning as in Spec.
	Resumed bool
}

// Drifted is an object that differs from its release.
type Drifted struct {
	Object v1alpha1.ObjectReference
	// Missing reports that the object does not exist. Fields is empty then.
	Missing bool
	// Fields are the paths of the fields that differ, sorted, such as
	// spec.template.spec.containers[name=web].image. They contain no values.
	Fields []string
}
