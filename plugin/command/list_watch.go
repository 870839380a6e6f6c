package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/plugin/follow"
)

// addWatch adds the flag that follows the changes of a list.
func (l *listFlags) addWatch(c *cobra.Command) {
	c.Flags().BoolVarP(&l.watch, "watch", "w", false, "After the list, print each object that changes, until Ctrl-C.")
}

// watchedList specifies a list that is followed.
type watchedList struct {
	// empty is an empty list of the objects, and options select them.
	empty   client.ObjectList
	options []client.ListOption
	// matches reports whether an object is shown. If it is nil, all are.
	matches func(context.Context, client.Object) (bool, error)
	// toTable returns the table of objects.
	toTable func([]client.Object) *metav1.Table
}

// objectsOf returns the objects of a kind.
func objectsOf[T any](objects []client.Object) []T {
	var found []T
	for _, o := range objects {
		if typed, ok := any(o).(*T); ok {
			found = append(found, *typed)
		}
	}
	return found
}

// watchList prints a list, and then each object that changes, as kubectl get --watch does. It ends with an error, which
// is errWatchInterrupted after Ctrl-C.
func (f *Factory) watchList(ctx context.Context, k client.WithWatch, l *listFlags, watched watchedList) error {
	interruptible, _, stop := waitContexts(ctx, 0)
	defer stop()
	limited, cancel := context.WithCancelCause(interruptible)
	defer cancel(nil)
	view := &listView{watchedList: watched, ctx: limited, fail: cancel, shown: map[client.ObjectKey]string{}, print: f.newWatchPrinter(l, watched)}
	err := follow.WatchAll(limited, k, watched.empty, view, watched.options...)
	if cause := context.Cause(limited); interruptible.Err() == nil && cause != nil {
		return cause
	}
	if interruptible.Err() != nil {
		return errWatchInterrupted
	}
	return err
}

// newWatchPrinter returns a function that prints objects in the format of the flags. The header of a table is printed once,
// and the columns keep their width.
func (f *Factory) newWatchPrinter(l *listFlags, watched watchedList) func([]client.Object) error {
	if l.printsObjects() {
		printer, err := l.newPrinter()
		return func(objects []client.Object) error {
			for i := 0; err == nil && i < len(objects); i++ {
				if err = setKinds(objects[i]); err == nil {
					err = printer.PrintObj(objects[i], f.Streams.Out)
				}
			}
			return err
		}
	}
	printer, out := f.newTablePrinter(l), printers.GetNewTabWriter(f.tableOut())
	return func(objects []client.Object) error {
		return errors.Join(printer.PrintObj(watched.toTable(objects), out), out.Flush())
	}
}

// listView prints the objects of a list that have changed.
type listView struct {
	watchedList
	ctx   context.Context
	print func([]client.Object) error
	// fail ends the watch with an error.
	fail context.CancelCauseFunc
	// shown contains the resource versions of the objects that were printed last.
	shown map[client.ObjectKey]string
}

var _ follow.Collection = &listView{}

// Replace implements follow.Collection.
func (v *listView) Replace(objects []client.Object) {
	present := map[client.ObjectKey]bool{}
	for _, o := range objects {
		present[client.ObjectKeyFromObject(o)] = true
	}
	v.show(objects)
	for key := range v.shown {
		if !present[key] {
			delete(v.shown, key)
		}
	}
}

// Set implements follow.Collection.
func (v *listView) Set(object client.Object) { v.show([]client.Object{object}) }

// Remove implements follow.Collection. The last state of a removed object is printed, as kubectl does.
func (v *listView) Remove(object client.Object) {
	v.show([]client.Object{object})
	delete(v.shown, client.ObjectKeyFromObject(object))
}

// show prints the objects that have changed and match. An object that no longer matches is printed once.
func (v *listView) show(objects []client.Object) {
	var changed []client.Object
	for _, o := range objects {
		key := client.ObjectKeyFromObject(o)
		version, wasShown := v.shown[key]
		if version == o.GetResourceVersion() {
			continue
		}
		matches := true
		if v.matches != nil {
			var err error
			if matches, err = v.matches(v.ctx, o); err != nil {
				v.fail(fmt.Errorf("watch %s: %w", key, err))
				return
			}
		}
		if delete(v.shown, key); matches {
			v.shown[key] = o.GetResourceVersion()
		}
		if matches || wasShown {
			changed = append(changed, o)
		}
	}
	if len(changed) == 0 {
		return
	}
	slices.SortStableFunc(changed, func(a, b client.Object) int {
		return strings.Compare(client.ObjectKeyFromObject(a).String(), client.ObjectKeyFromObject(b).String())
	})
	if err := v.print(changed); err != nil {
		v.fail(err)
	}
}
