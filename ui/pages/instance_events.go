package pages

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/pods"
)

const (
	// maxEvents is the number of events that are shown.
	maxEvents = 200
	// maxEventsRead is the number of events that are read in all namespaces of an instance. The API server returns
	// events in no order of time, so that all of them are read.
	maxEventsRead = 10000
	// eventPageSize is the number of events that are read at once.
	eventPageSize = 1000
	// maxControlledRead is the number of objects of a kind in a namespace whose controllers are read.
	maxControlledRead = 2000
	// eventsTimeout bounds the time for all of them.
	eventsTimeout = 5 * time.Second
)

// controlledKinds are the kinds of objects that the controllers of the workloads in an inventory create. A kind comes
// after the kinds of its controllers.
var controlledKinds = []schema.GroupVersionKind{
	{Group: "apps", Version: "v1", Kind: "ReplicaSet"}, {Group: "batch", Version: "v1", Kind: "Job"}, {Version: "v1", Kind: "Pod"},
}

// objectKey identifies an object by its kind without the version, because an event can have another version.
type objectKey struct{ group, kind, namespace, name string }

// eventsView are the events of an instance and its objects, newest first.
type eventsView struct {
	Rows []eventRow
	// Problem says why there are none, and Notes which ones are missing.
	Problem string
	Notes   []string
}

type eventRow struct {
	Warning                 bool
	At                      time.Time
	Object, Reason, Message string
	Count                   int
}

// eventSearch finds the events of an instance.
type eventSearch struct {
	own map[objectKey]bool
	// read is the number of events that were read.
	read int
	cut  bool
}

// showEvents reads the events of the namespaces of an instance with the rights of the user, and keeps the ones of the
// instance, of its objects, and of the objects that the controllers of these have created.
func showEvents(r *request, v *instanceView) error {
	ctx, cancel := context.WithTimeout(r.Context(), eventsTimeout)
	defer cancel()
	search := &eventSearch{own: ownObjects(v.Instance)}
	if inventory := v.Instance.Status.Inventory; inventory != nil && int(inventory.Total) > len(inventory.Objects) {
		v.Events.Notes = append(v.Events.Notes, r.Text("instance.eventsOfSomeObjects", "Shown", len(inventory.Objects), "Total", inventory.Total))
	}
	for _, namespace := range pods.NamespacesOf(v.Instance) {
		err := v.Events.addControlled(ctx, r, namespace, search.own)
		if err == nil {
			err = v.Events.addNamespace(ctx, r, namespace, search)
		}
		switch {
		case apierrors.IsForbidden(err) && namespace == v.Instance.Namespace:
			v.Events = eventsView{Problem: r.Text("object.noEvents", "Namespace", namespace)}
			return nil
		case apierrors.IsForbidden(err):
			v.Events.Notes = append(v.Events.Notes, r.Text("object.noEvents", "Namespace", namespace))
		case err != nil && ctx.Err() != nil && r.Context().Err() == nil:
			search.cut = true
		case err != nil:
			return fmt.Errorf("list events: %w", err)
		}
	}
	if search.cut {
		v.Events.Notes = append(v.Events.Notes, r.Text("instance.eventsCut", "Count", search.read))
	}
	return nil
}

// ownObjects returns the instance, the objects of its inventory, and its claims.
func ownObjects(instance *v1alpha1.AppInstance) map[objectKey]bool {
	own := map[objectKey]bool{{v1alpha1.GroupVersion.Group, "AppInstance", instance.Namespace, instance.Name}: true}
	for _, claim := range instance.Status.Claims {
		own[objectKey{"", "PersistentVolumeClaim", instance.Namespace, claim.Name}] = true
	}
	if instance.Status.Inventory == nil {
		return own
	}
	for _, ref := range instance.Status.Inventory.Objects {
		group := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).Group
		own[objectKey{group, ref.Kind, cmp.Or(ref.Namespace, instance.Namespace), ref.Name}] = true
	}
	return own
}

// addControlled adds the objects of a namespace to own whose controller is in own.
func (v *eventsView) addControlled(ctx context.Context, r *request, namespace string, own map[objectKey]bool) error {
	for _, kind := range controlledKinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind)
		err := r.List(ctx, list, client.InNamespace(namespace), client.Limit(maxControlledRead))
		if apierrors.IsForbidden(err) {
			v.Notes = append(v.Notes, r.Text("instance.eventsOfKindMissing", "Kind", kind.Kind, "Namespace", namespace))
			continue
		}
		if err != nil {
			return fmt.Errorf("list objects of kind %s: %w", kind.Kind, err)
		}
		for i := range list.Items {
			controller := metav1.GetControllerOf(&list.Items[i])
			if controller == nil {
				continue
			}
			group := schema.FromAPIVersionAndKind(controller.APIVersion, controller.Kind).Group
			if own[objectKey{group, controller.Kind, namespace, controller.Name}] {
				own[objectKey{kind.Group, kind.Kind, namespace, list.Items[i].Name}] = true
			}
		}
	}
	return nil
}

// addNamespace adds the newest events of a namespace that belong to the instance.
func (v *eventsView) addNamespace(ctx context.Context, r *request, namespace string, search *eventSearch) error {
	for next := ""; ; {
		if search.read >= maxEventsRead {
			search.cut = true
			return nil
		}
		var found corev1.EventList
		if err := r.List(ctx, &found, client.InNamespace(namespace), client.Limit(eventPageSize), client.Continue(next)); err != nil {
			return err
		}
		search.read += len(found.Items)
		for i := range found.Items {
			object := &found.Items[i].InvolvedObject
			group := schema.FromAPIVersionAndKind(object.APIVersion, object.Kind).Group
			if search.own[objectKey{group, object.Kind, object.Namespace, object.Name}] {
				v.Rows = append(v.Rows, newEventRow(&found.Items[i]))
			}
		}
		slices.SortStableFunc(v.Rows, func(a, b eventRow) int { return b.At.Compare(a.At) })
		v.Rows = v.Rows[:min(len(v.Rows), maxEvents)]
		if next = found.Continue; next == "" {
			return nil
		}
	}
}

func newEventRow(event *corev1.Event) eventRow {
	row := eventRow{
		Warning: event.Type == corev1.EventTypeWarning, At: event.LastTimestamp.Time, Reason: event.Reason, Message: event.Message,
		Object: event.InvolvedObject.Kind + "/" + event.InvolvedObject.Name, Count: int(max(event.Count, 1)),
	}
	if row.At.IsZero() {
		row.At = cmp.Or(event.EventTime.Time, event.CreationTimestamp.Time)
	}
	if event.Series != nil {
		row.At, row.Count = event.Series.LastObservedTime.Time, int(event.Series.Count)
	}
	return row
}
