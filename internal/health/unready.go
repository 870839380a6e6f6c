package health

import (
	"cmp"
	"context"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// unreadyObject is an object that is not ready.
type unreadyObject struct {
	ref    v1alpha1.ObjectReference
	status objectStatus
}

// sortUnready sorts objects by the severity of their status, and otherwise keeps their order.
func sortUnready(unready []unreadyObject) {
	slices.SortStableFunc(unready, func(a, b unreadyObject) int { return cmp.Compare(b.status.severity(), a.status.severity()) })
}

// severity returns a number that is higher for a status that is more severe.
func (v objectStatus) severity() int {
	switch {
	case v.kindMissing:
		return 3
	case v.gone:
		return 2
	case v.state == failed:
		return 1
	}
	return 0
}

// listUnready returns the first objects as they are reported. Their messages do not require requests.
func listUnready(unready []unreadyObject) []v1alpha1.UnreadyObject {
	var listed []v1alpha1.UnreadyObject
	for _, one := range unready[:min(len(unready), release.MaxUnready)] {
		reported := v1alpha1.UnreadyObject{Object: one.ref, Status: v1alpha1.ObjectInProgress, Message: one.status.statusMessage()}
		switch {
		case one.status.gone:
			reported.Status = v1alpha1.ObjectMissing
		case one.status.state == failed:
			reported.Status = v1alpha1.ObjectFailed
		}
		listed = append(listed, reported)
	}
	return listed
}

// statusMessage returns why an object is not ready according to its own status.
func (v objectStatus) statusMessage() string { return oneLine(cmp.Or(v.replicaFailure, v.message)) }

// explainObject returns why an object is not ready, based on its pods if it has any.
func (t *trackedInstance) explainObject(ctx context.Context, one unreadyObject, pods *podLists) (string, error) {
	if len(one.status.pods) == 0 {
		return oneLine(one.status.message), nil
	}
	reason, err := pods.podsReason(ctx, one.ref.Namespace, one.status.pods)
	if err != nil {
		return "", err
	}
	return cmp.Or(oneLine(reason), one.status.statusMessage()), nil
}
