package pages

import (
	"context"
	"slices"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/ui/locale"
)

const (
	// maxListedKinds is the number of pairs of a kind and a namespace whose objects are read for a page.
	maxListedKinds = 12
	// maxListedObjects is the number of objects that are read of each.
	maxListedObjects = 500
	// objectStatesTimeout bounds the time for all of them.
	objectStatesTimeout = 3 * time.Second
)

// statefulKinds are the kinds whose objects become ready some time after they were created.
var statefulKinds = map[string]bool{
	"Deployment.apps": true, "StatefulSet.apps": true, "DaemonSet.apps": true, "Job.batch": true, "PersistentVolumeClaim": true, "Pod": true, "Service": true,
}

// objectState is the readiness of an object.
type objectState struct {
	badge

	// Message explains an object that is not ready.
	Message string
	// rank orders objects: those that are not ready come first.
	rank int
}

// readObjectStates returns the states of the objects whose kinds have one, as far as the user can list
// them.
func readObjectStates(r *request, objects []v1alpha1.ObjectReference) map[v1alpha1.ObjectReference]objectState {
	type listed struct {
		kind      schema.GroupVersionKind
		namespace string
	}
	var lists []listed
	for _, ref := range objects {
		each := listed{schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind), ref.Namespace}
		if statefulKinds[each.kind.GroupKind().String()] && ref.Namespace != "" && !slices.Contains(lists, each) && len(lists) < maxListedKinds {
			lists = append(lists, each)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), objectStatesTimeout)
	defer cancel()
	found := make([]unstructured.UnstructuredList, len(lists))
	var group errgroup.Group
	for i, each := range lists {
		found[i].SetGroupVersionKind(each.kind.GroupVersion().WithKind(each.kind.Kind + "List"))
		group.Go(outcome.Guarded(func() error {
			// Objects that the user cannot list have no state.
			return client.IgnoreNotFound(r.List(ctx, &found[i], client.InNamespace(each.namespace), client.Limit(maxListedObjects)))
		}))
	}
	_ = group.Wait() // The states that were read are shown.
	states := map[v1alpha1.ObjectReference]objectState{}
	for i := range found {
		for j := range found[i].Items {
			object := &found[i].Items[j]
			ref := v1alpha1.ObjectReference{APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName()}
			states[ref] = stateOfObject(r.lang, object)
		}
	}
	return states
}

// stateOfObject returns the state of an object by the rules of kstatus.
func stateOfObject(l *locale.Language, object *unstructured.Unstructured) objectState {
	var result *status.Result
	// kstatus panics for some objects that are not as their kind requires.
	if err := outcome.Guarded(func() (err error) { result, err = status.Compute(object); return err })(); err != nil {
		return objectState{rank: 2}
	}
	state := objectState{Message: text.Printable(result.Message, 300)}
	switch result.Status {
	case status.CurrentStatus:
		state.badge, state.Message, state.rank = badge{"ok", "check", l.Text("state.ready")}, "", 3
	case status.FailedStatus:
		state.badge = badge{"bad", "circle-x", l.Text("state.failed")}
	case status.TerminatingStatus:
		state.badge, state.rank = badge{"busy", "loader", l.Text("state.deleting")}, 1
	default:
		state.badge, state.rank = badge{"warn", "clock", l.Text("state.notReady")}, 1
	}
	return state
}
