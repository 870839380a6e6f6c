package follow

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Collection receives the states of the objects that WatchAll watches.
type Collection interface {
	// Replace sets all objects, at the start and after an interruption of the watch.
	Replace(objects []client.Object)
	// Set adds an object or replaces its state.
	Set(object client.Object)
	// Remove removes an object.
	Remove(object client.Object)
}

// WatchAll lists the objects that the options select, and watches them until the context ends. list is
// an empty list of their kind.
func WatchAll(ctx context.Context, c client.WithWatch, list client.ObjectList, to Collection, options ...client.ListOption) error {
	return reconnect(ctx, func() (bool, error) { return false, watchList(ctx, c, list, to, options) })
}

// watchList lists objects and watches them until the watch ends.
func watchList(ctx context.Context, c client.WithWatch, list client.ObjectList, to Collection, options []client.ListOption) error {
	current, ok := list.DeepCopyObject().(client.ObjectList)
	if !ok {
		return fmt.Errorf("%T is not a list", list)
	}
	if err := c.List(ctx, current, options...); err != nil {
		return err
	}
	items, err := meta.ExtractList(current)
	if err != nil {
		return err
	}
	var objects []client.Object
	for _, item := range items {
		if object, ok := item.(client.Object); ok {
			objects = append(objects, object)
		}
	}
	to.Replace(objects)
	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: current.GetResourceVersion()}}
	events, err := c.Watch(ctx, current, append(options[:len(options):len(options)], from)...)
	if err != nil {
		return err
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		if event.Type == watch.Error {
			return apierrors.FromObject(event.Object)
		}
		object, ok := event.Object.(client.Object)
		switch {
		case !ok || event.Type == watch.Bookmark:
		case event.Type == watch.Deleted:
			to.Remove(object)
		default:
			to.Set(object)
		}
	}
	return nil
}
