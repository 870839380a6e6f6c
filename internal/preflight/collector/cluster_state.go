package collector

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"
	podresource "k8s.io/component-helpers/resource"

	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
)

const (
	// minSnapshotAge is the minimum time for which the state of the cluster is cached. It is
	// cached for ageFactor times the duration of the requests, up to maxSnapshotAge, because
	// listing all pods of a large cluster is expensive for the API server.
	minSnapshotAge = 10 * time.Second
	maxSnapshotAge = 5 * time.Minute
	ageFactor      = 50
	// snapshotTimeout bounds the requests for a snapshot.
	snapshotTimeout = time.Minute
	// pageSize is the number of objects in memory at a time. Lists with resource version 0 are
	// served from the cache of the API server, but without pages.
	pageSize = 500
)

// clusterSnapshot is the state of the whole cluster. It is shared and immutable.
type clusterSnapshot struct {
	version       string
	nodes         []preflight.Node
	nodeGroups    []preflight.NodeGroup
	classes       []string
	defaultClass  string
	volumeClasses []string
}

// addSnapshot adds the state of the whole cluster to facts. Concurrent callers share one
// snapshot, which is completed even if the first caller is canceled.
func (c *Collector) addSnapshot(ctx context.Context, facts *preflight.Facts) error {
	s := c.cachedSnapshot()
	if s == nil {
		began := context.WithoutCancel(ctx)
		flight := c.inFlight.DoChan("", func() (any, error) {
			requestCtx, cancel := context.WithTimeout(began, snapshotTimeout)
			defer cancel()
			var found *clusterSnapshot
			err := outcome.Guarded(func() (err error) {
				found, err = c.collectSnapshot(requestCtx)
				return err
			})()
			return found, err
		})
		select {
		case landed := <-flight:
			if landed.Err != nil {
				return landed.Err
			}
			s = landed.Val.(*clusterSnapshot)
		case <-ctx.Done():
			return fmt.Errorf("collect the state of the cluster: %w", ctx.Err())
		}
	}
	facts.Version, facts.Nodes, facts.NodeGroups = s.version, s.nodes, s.nodeGroups
	facts.StorageClasses, facts.DefaultClass, facts.VolumeClasses = s.classes, s.defaultClass, s.volumeClasses
	return nil
}

func (c *Collector) cachedSnapshot() *clusterSnapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().After(c.snapshotExpires) {
		return nil
	}
	return c.snapshot
}

// collectSnapshot returns a new snapshot, or the cached one if it is recent.
func (c *Collector) collectSnapshot(ctx context.Context) (*clusterSnapshot, error) {
	if s := c.cachedSnapshot(); s != nil {
		return s, nil
	}
	begin := time.Now()
	groups, err := c.nodeGroups(ctx)
	if err != nil {
		return nil, err
	}
	s := &clusterSnapshot{nodeGroups: groups}
	// Each function sets different fields.
	group, asking := errgroup.WithContext(ctx)
	for _, ask := range []func(context.Context, *clusterSnapshot) error{c.addVersion, c.addClasses, c.addVolumes, c.addNodes} {
		group.Go(outcome.Guarded(func() error { return ask(asking, s) }))
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.snapshot, c.snapshotExpires = s, time.Now().Add(snapshotAge(time.Since(begin)))
	return s, nil
}

// snapshotAge returns the time for which a snapshot is cached.
func snapshotAge(took time.Duration) time.Duration {
	return min(max(minSnapshotAge, ageFactor*took), maxSnapshotAge)
}

func (c *Collector) addVersion(_ context.Context, s *clusterSnapshot) error {
	version, err := c.operator.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("get the version of the cluster: %w", err)
	}
	s.version = version.GitVersion
	return nil
}

func (c *Collector) addClasses(ctx context.Context, s *clusterSnapshot) error {
	var newest metav1.Time
	err := listPages(ctx, "", func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return c.operator.StorageV1().StorageClasses().List(ctx, o)
	}, func(class *storagev1.StorageClass) {
		s.classes = append(s.classes, class.Name)
		// If there are several default classes, Kubernetes uses the newest.
		if isDefaultClass(class) && (s.defaultClass == "" || newest.Before(&class.CreationTimestamp)) {
			s.defaultClass, newest = class.Name, class.CreationTimestamp
		}
	})
	if err != nil {
		return fmt.Errorf("list storage classes: %w", err)
	}
	slices.Sort(s.classes)
	return nil
}

// defaultClassAnnotation marks the default storage class.
const defaultClassAnnotation = "storageclass.kubernetes.io/is-default-class"

// betaDefaultClassAnnotation is the former name, which Kubernetes still supports.
const betaDefaultClassAnnotation = "storageclass.beta.kubernetes.io/is-default-class"

func isDefaultClass(class *storagev1.StorageClass) bool {
	return class.Annotations[defaultClassAnnotation] == "true" || class.Annotations[betaDefaultClassAnnotation] == "true"
}

func (c *Collector) addVolumes(ctx context.Context, s *clusterSnapshot) error {
	err := listPages(ctx, "", func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return c.operator.CoreV1().PersistentVolumes().List(ctx, o)
	}, func(volume *corev1.PersistentVolume) {
		class, claim := volume.Spec.StorageClassName, volume.Spec.ClaimRef
		// A volume can be reserved with the name of a claim alone.
		free := claim == nil || claim.UID == ""
		if free && !slices.Contains(s.volumeClasses, class) {
			s.volumeClasses = append(s.volumeClasses, class)
		}
	})
	if err != nil {
		return fmt.Errorf("list persistent volumes: %w", err)
	}
	return nil
}

// runningPodsSelector selects the pods that use resources of a node.
const runningPodsSelector = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"

// addNodes adds the nodes, and the requests of their pods, unless unlimited nodes can be created. If
// the operator may not list nodes or pods, the capacity is not checked.
func (c *Collector) addNodes(ctx context.Context, s *clusterSnapshot) error {
	at := map[string]int{}
	err := listPages(ctx, "", func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return c.operator.CoreV1().Nodes().List(ctx, o)
	}, func(node *corev1.Node) {
		at[node.Name] = len(s.nodes)
		s.nodes = append(s.nodes, toNode(node))
	})
	switch {
	case apierrors.IsForbidden(err):
		return nil
	case err != nil:
		return fmt.Errorf("list nodes: %w", err)
	}
	if len(s.nodes) == 0 || slices.ContainsFunc(s.nodeGroups, func(g preflight.NodeGroup) bool { return g.IsUnlimited() }) {
		return nil
	}
	err = listPages(ctx, runningPodsSelector, func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return c.operator.CoreV1().Pods(metav1.NamespaceAll).List(ctx, o)
	}, func(pod *corev1.Pod) {
		if i, ok := at[pod.Spec.NodeName]; ok {
			addPodUsage(&s.nodes[i], pod)
		}
	})
	if err != nil && !apierrors.IsForbidden(err) {
		return fmt.Errorf("list pods: %w", err)
	}
	return nil
}

// toNode converts a node.
func toNode(node *corev1.Node) preflight.Node {
	one := preflight.Node{
		Name: node.Name, Labels: node.Labels, Taints: node.Spec.Taints, Architecture: node.Status.NodeInfo.Architecture,
		Allocatable: node.Status.Allocatable, Requested: corev1.ResourceList{}, Unschedulable: node.Spec.Unschedulable,
	}
	if one.Architecture == "" {
		one.Architecture = node.Labels[corev1.LabelArchStable]
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			one.Ready = condition.Status == corev1.ConditionTrue
		}
	}
	return one
}

// addPodUsage adds the requests of a pod to its node.
func addPodUsage(node *preflight.Node, pod *corev1.Pod) {
	requested := podresource.PodRequests(pod, podresource.PodResourcesOptions{})
	requested[corev1.ResourcePods] = *resource.NewQuantity(1, resource.DecimalSI)
	for name, amount := range requested {
		sum := node.Requested[name]
		sum.Add(amount)
		node.Requested[name] = sum
	}
}

// listPages lists objects in pages and calls take for each object.
func listPages[T any](ctx context.Context, fields string, list pager.ListPageFunc, take func(T)) error {
	pages := pager.New(func(ctx context.Context, o metav1.ListOptions) (page runtime.Object, err error) {
		defer outcome.Recover(&err) // The pager calls this function in another goroutine.
		return list(ctx, o)
	})
	pages.PageSize, pages.PageBufferSize = pageSize, 1
	// If the continue token expires, list again instead of requesting the full list.
	pages.FullListIfExpired = false
	return pages.EachListItem(ctx, metav1.ListOptions{FieldSelector: fields}, func(one runtime.Object) error {
		typed, ok := one.(T)
		if !ok {
			return fmt.Errorf("read list: unexpected type %T", one)
		}
		take(typed)
		return nil
	})
}
