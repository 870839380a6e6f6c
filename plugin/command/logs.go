package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/pods"
)

// logFlags are the flags of the command logs.
type logFlags struct {
	pod, container               string
	tail                         int64
	since                        time.Duration
	previous, follow, timestamps bool
}

// logTarget is a container whose log is printed.
type logTarget struct{ namespace, pod, container string }

func (f *Factory) newLogsCommand() *cobra.Command {
	var l logFlags
	c := f.newInstanceCommand("logs", "Print the logs of the pods of an installed app", f.example(
		"# Print the last lines of all pods", "logs wiki -n demo",
		"# Follow the log of a container", "logs wiki -n demo -c web -f",
		"# Print the log of a container that has crashed", "logs wiki -n demo --pod wiki-7c9d5-abcde --previous"))
	c.Long = fmt.Sprintf("Prints the logs of the pods of an installed app. Pods that are not ready come first, and at most %d pods are printed. "+
		"If there is more than one log, each line begins with the names of the pod and the container.", pods.MaxShown)
	flags := c.Flags()
	flags.StringVar(&l.pod, "pod", "", "Name of the pod. Defaults to all pods of the app.")
	flags.StringVarP(&l.container, "container", "c", "", "Name of the container. Defaults to all containers except init containers.")
	flags.Int64Var(&l.tail, "tail", 500, "Number of lines from the end of each log, -1 for all lines.")
	flags.DurationVar(&l.since, "since", 0, "Print only lines that are newer than a duration such as 5m.")
	flags.BoolVarP(&l.previous, "previous", "p", false, "Print the log of the previous container, which has ended.")
	flags.BoolVarP(&l.follow, "follow", "f", false, "Print new lines until the containers end.")
	flags.BoolVar(&l.timestamps, "timestamps", false, "Begin each line with its time.")
	completeFlag(c, "pod", f.completePods)
	completeFlag(c, "container", noCompletion)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		instance, err := getInstance(c.Context(), k, namespace, arguments[0])
		if err != nil {
			return err
		}
		found, err := podsOf(c.Context(), k, instance)
		if err != nil {
			return err
		}
		targets, err := l.selectLogs(instance, found)
		if err != nil {
			return err
		}
		return f.printLogs(c.Context(), l, targets)
	}
	return c
}

// podsOf lists the pods of an instance.
func podsOf(ctx context.Context, k client.Client, instance *v1alpha1.AppInstance) ([]corev1.Pod, error) {
	var all []corev1.Pod
	for _, namespace := range pods.NamespacesOf(instance) {
		var list corev1.PodList
		if err := k.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
	}
	return pods.OfInstance(instance, all), nil
}

// completePods completes the names of the pods of an instance.
func (f *Factory) completePods(c *cobra.Command, arguments []string, begin string) ([]string, cobra.ShellCompDirective) {
	return f.completeByFirst(func(ctx context.Context, k client.Client, namespace, name, _ string) ([]string, error) {
		instance, err := getInstance(ctx, k, namespace, name)
		if err != nil {
			return nil, err
		}
		found, err := podsOf(ctx, k, instance)
		var names []string
		for i := range found {
			names = append(names, found[i].Name)
		}
		return names, err
	})(c, arguments, begin)
}

// selects reports whether the flags select a container of a selected pod.
func (l *logFlags) selects(container pods.Container) bool {
	if l.previous && container.Restarts == 0 {
		return false
	}
	return container.Name == l.container || l.container == "" && !container.Init
}

// selectLogs returns the containers that the flags select.
func (l *logFlags) selectLogs(instance *v1alpha1.AppInstance, found []corev1.Pod) ([]logTarget, error) {
	var targets []logTarget
	shown := 0
	for i := range found {
		pod := &found[i]
		if l.pod != "" && pod.Name != l.pod {
			continue
		}
		if shown++; shown > pods.MaxShown {
			break
		}
		for _, container := range pods.ContainersOf(pod) {
			if l.selects(container) {
				targets = append(targets, logTarget{pod.Namespace, pod.Name, container.Name})
			}
		}
	}
	switch {
	case len(targets) > 0:
		return targets, nil
	case shown == 0 && l.pod != "":
		return nil, fmt.Errorf("pod %q is not a pod of instance %q", l.pod, instance.Name)
	case shown == 0:
		return nil, fmt.Errorf("instance %q has no pods", instance.Name)
	case l.previous:
		return nil, fmt.Errorf("no container of instance %q has restarted", instance.Name)
	}
	return nil, fmt.Errorf("no pod of instance %q has a container %q", instance.Name, l.container)
}

// printLogs prints logs one after the other, or at the same time if they are followed.
func (f *Factory) printLogs(ctx context.Context, l logFlags, targets []logTarget) error {
	config, err := f.flags.ToRESTConfig()
	if err != nil {
		return err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	options := corev1.PodLogOptions{Follow: l.follow, Previous: l.previous, Timestamps: l.timestamps}
	if l.tail >= 0 {
		options.TailLines = &l.tail
	}
	if l.since > 0 {
		seconds := int64(l.since.Round(time.Second).Seconds())
		options.SinceSeconds = &seconds
	}
	var group errgroup.Group
	if !l.follow {
		group.SetLimit(1)
	}
	var mu sync.Mutex
	failures := make([]error, len(targets))
	for i, target := range targets {
		prefix := ""
		if len(targets) > 1 {
			prefix = "[" + target.pod + "/" + target.container + "] "
		}
		own := options
		own.Container = target.container
		group.Go(func() error {
			log, err := clients.CoreV1().Pods(target.namespace).GetLogs(target.pod, &own).Stream(ctx)
			if err == nil {
				defer log.Close()
				err = copyLines(f.Streams.Out, &mu, prefix, log)
			}
			failures[i] = err
			return nil
		})
	}
	_ = group.Wait() // The errors are in failures.
	if l.follow && ctx.Err() != nil {
		return nil
	}
	return f.firstFailure(targets, failures)
}

// firstFailure returns the first error of a log, after it has printed the others: a container that has not
// started must not hide the logs of other containers.
func (f *Factory) firstFailure(targets []logTarget, failures []error) error {
	var first error
	for i, err := range failures {
		switch {
		case err == nil:
		case first == nil:
			first = withNodeProblem(err, targets[i])
		default:
			fmt.Fprintf(f.Streams.ErrOut, "%s/%s: %s\n", targets[i].pod, targets[i].container, printable(err.Error()))
		}
	}
	return first
}

// withNodeProblem explains an error of the API server that a node causes. Other errors, such as the one of a container
// that has not started, explain themselves.
func withNodeProblem(err error, target logTarget) error {
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.Status().Code < http.StatusInternalServerError {
		return err
	}
	return &exitError{code: ExitError, cause: err, details: []string{fmt.Sprintf(
		"The node of pod %s does not return the log: the API server cannot reach it, or it keeps no logs, as is the case for simulated nodes.", printable(target.pod))}}
}

// copyLines copies the lines of a log with a prefix, each line at once.
func copyLines(out io.Writer, mu *sync.Mutex, prefix string, log io.Reader) error {
	reader := bufio.NewReader(log)
	for {
		line, err := reader.ReadString('\n')
		if line != "" {
			if prefix != "" && err != nil {
				line += "\n" // Another log may follow.
			}
			mu.Lock()
			fmt.Fprint(out, prefix+line)
			mu.Unlock()
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
