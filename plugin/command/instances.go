package command

import (
	"context"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/plugin/table"
)

func (f *Factory) newInstancesCommand() *cobra.Command {
	var updates, exitCode bool
	c := &cobra.Command{
		Use: "apps", Aliases: []string{"list"}, Short: "List the installed apps",
		Example: f.example("# List the apps of a namespace", "apps -n demo",
			"# Fail if an app of any namespace has an update", "apps -A --updates --exit-code"),
		Args: exactArgs(0, ""),
	}
	l := newListFlags(c)
	l.addSelector(c)
	l.addAllNamespaces(c)
	l.addWatch(c)
	c.Flags().BoolVar(&updates, "updates", false, "List the apps that have an update.")
	c.Flags().BoolVar(&exitCode, "exit-code", false, "Exit with code 10 if an app has an update.")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if l.watch && exitCode {
			return cmdutil.UsageErrorf(c, "--exit-code cannot be given with --watch")
		}
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		options, err := l.options(namespace)
		if err != nil {
			return err
		}
		if l.watch {
			return f.watchInstances(c.Context(), k, l, updates, options)
		}
		var list v1alpha1.AppInstanceList
		if err := k.List(c.Context(), &list, options...); err != nil {
			return err
		}
		hasUpdate := func(instance v1alpha1.AppInstance) bool { return instance.Status.AvailableUpdate != "" }
		found := slices.ContainsFunc(list.Items, hasUpdate)
		if updates {
			list.Items = slices.DeleteFunc(list.Items, func(instance v1alpha1.AppInstance) bool { return !hasUpdate(instance) })
		}
		if err := f.printList(l, &list, table.Instances(list.Items, l.all, f.Now()), noneFound("apps", namespace, l.all)); err != nil {
			return err
		}
		if exitCode && found {
			return errUpdates
		}
		return nil
	}
	return c
}

// watchInstances follows a list of instances. updates specifies whether only those with an update are shown.
func (f *Factory) watchInstances(ctx context.Context, k client.WithWatch, l *listFlags, updates bool, options []client.ListOption) error {
	return f.watchList(ctx, k, l, watchedList{
		empty: &v1alpha1.AppInstanceList{}, options: options,
		matches: func(_ context.Context, o client.Object) (bool, error) {
			instance, ok := o.(*v1alpha1.AppInstance)
			return ok && (!updates || instance.Status.AvailableUpdate != ""), nil
		},
		toTable: func(objects []client.Object) *metav1.Table {
			return table.Instances(objectsOf[v1alpha1.AppInstance](objects), l.all, f.Now())
		},
	})
}

func (f *Factory) newEventsCommand() *cobra.Command {
	c := f.newInstanceCommand("events", "List the events of an installed app and of its tasks", f.example("# List the events of an app", "events wiki -n demo"))
	l := newListFlags(c)
	l.addWatch(c)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		if l.watch {
			return f.watchEvents(c.Context(), k, l, namespace, arguments[0])
		}
		tasks, err := listTasksOf(c.Context(), k, namespace, arguments[0])
		if err != nil {
			return err
		}
		related := map[string]bool{"AppInstance/" + arguments[0]: true}
		for _, task := range tasks {
			related["AppInstallTask/"+task.Name] = true
		}
		var events corev1.EventList
		if err := k.List(c.Context(), &events, client.InNamespace(namespace)); err != nil {
			return err
		}
		events.Items = slices.DeleteFunc(events.Items, func(event corev1.Event) bool {
			return !related[event.InvolvedObject.Kind+"/"+event.InvolvedObject.Name]
		})
		return f.printList(l, &events, table.Events(events.Items, f.Now()), noneFoundIn("events", namespace))
	}
	return c
}

// watchEvents follows the events of an instance and of its tasks. An event whose task cannot be found is not shown.
func (f *Factory) watchEvents(ctx context.Context, k client.WithWatch, l *listFlags, namespace, instance string) error {
	isTaskOf := map[string]bool{}
	return f.watchList(ctx, k, l, watchedList{
		empty: &corev1.EventList{}, options: []client.ListOption{client.InNamespace(namespace)},
		matches: func(ctx context.Context, o client.Object) (bool, error) {
			event, ok := o.(*corev1.Event)
			switch {
			case !ok:
				return false, nil
			case event.InvolvedObject.Kind != "AppInstallTask":
				return event.InvolvedObject.Kind == "AppInstance" && event.InvolvedObject.Name == instance, nil
			}
			matches, known := isTaskOf[event.InvolvedObject.Name]
			if known {
				return matches, nil
			}
			task, err := getTask(ctx, k, namespace, event.InvolvedObject.Name)
			if client.IgnoreNotFound(err) != nil {
				return false, err
			}
			isTaskOf[event.InvolvedObject.Name] = err == nil && task.Instance() == instance
			return isTaskOf[event.InvolvedObject.Name], nil
		},
		toTable: func(objects []client.Object) *metav1.Table {
			return table.Events(objectsOf[corev1.Event](objects), f.Now())
		},
	})
}
