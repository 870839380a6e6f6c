// Package follow waits until an object reaches a state, watches the objects of a list, and prints the
// progress of a task.
//
// A watch that the API server ends is started again from the present object, so that no state is
// missed. A watch that ends because of the network is started again a limited number of times.
package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrDeleted is the error for an object that was deleted while it was watched.
var ErrDeleted = errors.New("the object was deleted")

// Connections are started again after reconnectDelay, at most maxReconnects times in a row.
const (
	reconnectDelay = time.Second
	maxReconnects  = 10
)

// WaitFor watches an object until observe returns true for it. observe is called with each state of
// the object, which is stored in o. list is an empty list of the kind of the object. An object that
// does not exist, a missing permission and the end of the context are errors.
func WaitFor[O client.Object](ctx context.Context, c client.WithWatch, o O, list client.ObjectList, observe func(O) bool) error {
	key := client.ObjectKeyFromObject(o)
	return reconnect(ctx, func() (bool, error) { return watchOnce(ctx, c, key, o, list, observe) })
}

// reconnect calls watchOnce until it returns true, each time that a watch has ended.
func reconnect(ctx context.Context, watchOnce func() (bool, error)) error {
	for failures := 0; ; {
		done, err := watchOnce()
		var status apierrors.APIStatus
		switch {
		case err == nil && done:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err):
			failures = 0
		case errors.Is(err, ErrDeleted) || errors.As(err, &status):
			return err
		default:
			if failures++; failures > maxReconnects {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(reconnectDelay):
		}
	}
}

// watchOnce reads the object and watches it until observe returns true or the watch ends. It
// reports whether observe returned true.
func watchOnce[O client.Object](
	ctx context.Context, c client.WithWatch, key client.ObjectKey, o O, list client.ObjectList, observe func(O) bool,
) (bool, error) {
	if err := c.Get(ctx, key, o); err != nil {
		return false, err
	}
	if observe(o) {
		return true, nil
	}
	events, err := c.Watch(ctx, list, &client.ListOptions{
		Namespace: key.Namespace, FieldSelector: fields.OneTermEqualSelector("metadata.name", key.Name),
		Raw: &metav1.ListOptions{ResourceVersion: o.GetResourceVersion()},
	})
	if err != nil {
		return false, err
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		switch event.Type {
		case watch.Error:
			return false, apierrors.FromObject(event.Object)
		case watch.Deleted:
			return false, fmt.Errorf("%w: %s", ErrDeleted, key.Name)
		case watch.Bookmark:
			continue
		}
		if current, ok := event.Object.(O); ok && observe(current) {
			return true, nil
		}
	}
	return false, nil
}
