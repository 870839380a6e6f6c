package release

import (
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Rollback says to which of its revisions a release goes back.
type Rollback struct {
	// Name of the release, and Revision, Helm's, to go back to.
	Name     string
	Revision int
	// Labels are kept with the new revision; see Spec.
	Labels map[string]string
	// MaxHistory is how many revisions are kept, all of them if zero. The one gone
	// back to is kept in any case.
	MaxHistory int
	// Timeout bounds each wait for a hook; five minutes if zero.
	Timeout time.Duration
	// Resumed is as in Spec.
	Resumed bool
}

// Drifted is an object that is not what its release made it.
type Drifted struct {
	Object v1alpha1.ObjectReference
	// Missing says that it is gone; Fields is empty then.
	Missing bool
	// Fields are the paths of the fields that differ, such as
	// spec.template.spec.containers[0].image, sorted. They hold no values.
	Fields []string
}
