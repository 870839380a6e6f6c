package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/plugin/follow"
)

// errWatchInterrupted is the error for the usual end of a watch. It is not printed.
var errWatchInterrupted = &exitError{code: ExitInterrupted, cause: errors.New("interrupted")}

// errConditionMet ends a watch with --for.
var errConditionMet = errors.New("the condition is met")

// watchFlags are the flags of the command watch.
type watchFlags struct {
	write   *writeFlags
	all     bool
	until   string
	timeout time.Duration
}

// watchTarget specifies what is watched: the objects of a namespace, of all namespaces if it is empty, or
// one instance or task with that name.
type watchTarget struct {
	namespace, instance, task string
}

func (f *Factory) newWatchCommand() *cobra.Command {
	flags := &watchFlags{}
	c := &cobra.Command{
		Use: "watch [INSTANCE or TASK]", Short: "Show installed apps and tasks, and what changes",
		Long: "Shows an installed app with its tasks, a task, or all installed apps and unfinished tasks of a namespace, and follows their changes. " +
			"A terminal shows a tree that is redrawn. Other outputs get a line for each change, or with -o the changed object. " +
			"If an instance and a task have the same name, write instance/NAME or task/NAME. The command ends with Ctrl-C, or when the condition of --for is met.",
		Example: f.example("# Watch all apps of a namespace", "watch -n demo", "# Watch an app", "watch wiki -n demo",
			"# Wait until an app is ready", "watch wiki -n demo --for condition=Ready --timeout 10m"),
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: f.completeWatched,
	}
	flags.write = newPrintOnlyFlags(c)
	c.Flags().BoolVarP(&flags.all, "all-namespaces", "A", false, "Watch the objects of all namespaces.")
	c.Flags().StringVar(&flags.until, "for", "", "Condition at which the command ends: delete, condition=NAME or condition=NAME=STATUS.")
	c.Flags().DurationVar(&flags.timeout, "timeout", 0, "With --for: time after which to stop waiting. Defaults to no limit.")
	completeFlag(c, "for", fixedCompletion("delete", "condition="+v1alpha1.ConditionReady, "condition="+v1alpha1.ConditionSucceeded))
	c.RunE = func(c *cobra.Command, arguments []string) error { return f.watch(c, flags, append(arguments, "")[0]) }
	return c
}

// completeWatched completes the names of instances and tasks.
func (f *Factory) completeWatched(c *cobra.Command, arguments []string, begin string) ([]string, cobra.ShellCompDirective) {
	instances, _ := f.completeInstances(c, arguments, begin)
	tasks, directive := f.completeTasks(c, arguments, begin)
	return append(instances, tasks...), directive
}

// watch shows the objects of the arguments until the user or the condition of the flags ends it.
func (f *Factory) watch(c *cobra.Command, flags *watchFlags, name string) error {
	goal, err := readWatchGoal(c, flags, name)
	if err != nil {
		return err
	}
	k, namespace, err := f.connect()
	if err != nil {
		return err
	}
	ctx, limited, stop := waitContexts(c.Context(), flags.timeout)
	defer stop()
	target := watchTarget{namespace: namespace}
	if flags.all {
		target.namespace = ""
	}
	if name != "" {
		target, err = findWatched(ctx, k, namespace, name)
		if apierrors.IsNotFound(err) && goal != nil && goal.deleted {
			return nil
		}
	}
	if err != nil {
		return err
	}
	err = f.runWatch(limited, k, target, goal, flags)
	switch {
	case errors.Is(err, errConditionMet):
		return nil
	case ctx.Err() != nil:
		return errWatchInterrupted
	case errors.Is(err, context.DeadlineExceeded):
		return &exitError{code: ExitTimedOut, cause: fmt.Errorf("timed out after %s: %s is not met", flags.timeout, flags.until)}
	}
	return err
}

// readWatchGoal returns the goal of the flags, nil if there is none. An error says how the command is used.
func readWatchGoal(c *cobra.Command, flags *watchFlags, name string) (*watchGoal, error) {
	goal, err := parseWatchGoal(flags.until)
	switch {
	case err != nil:
		return nil, cmdutil.UsageErrorf(c, "--for: %v", err)
	case name == "" && goal != nil:
		return nil, cmdutil.UsageErrorf(c, "--for requires the name of an instance or a task")
	case name != "" && flags.all:
		return nil, cmdutil.UsageErrorf(c, "a name cannot be given with --all-namespaces")
	case flags.timeout != 0 && goal == nil:
		return nil, cmdutil.UsageErrorf(c, "--timeout requires --for")
	}
	return goal, nil
}

// runWatch watches the objects of a target and shows them until the context ends or the goal is reached.
func (f *Factory) runWatch(ctx context.Context, k client.WithWatch, target watchTarget, goal *watchGoal, flags *watchFlags) error {
	state := newWatchState(target)
	view, err := f.newWatchView(target, flags.write)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, kind := range []struct {
		list client.ObjectList
		name string
		to   *watchedKind
	}{{&v1alpha1.AppInstanceList{}, target.instance, state.instances}, {&v1alpha1.AppInstallTaskList{}, target.task, state.tasks}} {
		options := []client.ListOption{client.InNamespace(target.namespace)}
		if kind.name != "" {
			options = append(options, client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", kind.name)})
		}
		group.Go(func() error { return follow.WatchAll(ctx, k, kind.list, kind.to, options...) })
	}
	group.Go(func() error { return state.show(ctx, view, goal) })
	return group.Wait()
}

// findWatched returns the target for the name of an instance or of a task, which can begin with its kind.
func findWatched(ctx context.Context, k client.Client, namespace, name string) (watchTarget, error) {
	kind, rest, hasKind := strings.Cut(name, "/")
	if !hasKind {
		kind, rest = "", name
	}
	switch kind {
	case "", "instance", "task":
	default:
		return watchTarget{}, fmt.Errorf("%q must be the name of an instance or a task, instance/NAME or task/NAME", name)
	}
	var notFound error
	if kind != "task" {
		_, err := getInstance(ctx, k, namespace, rest)
		if err == nil {
			return watchTarget{namespace: namespace, instance: rest}, nil
		}
		if !apierrors.IsNotFound(err) {
			return watchTarget{}, err
		}
		notFound = err
	}
	if kind != "instance" {
		task, err := getTask(ctx, k, namespace, rest)
		if err == nil {
			return watchTarget{namespace: namespace, instance: task.Instance(), task: rest}, nil
		}
		if !apierrors.IsNotFound(err) || kind == "task" {
			return watchTarget{}, err
		}
	}
	// An app that is not installed yet has tasks only.
	if tasks, err := listTasksOf(ctx, k, namespace, rest); err != nil || len(tasks) > 0 {
		return watchTarget{namespace: namespace, instance: rest}, err
	}
	return watchTarget{}, notFound
}
