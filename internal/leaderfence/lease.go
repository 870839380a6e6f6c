package leaderfence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
)

const (
	// defaultRenewDeadline is the default of controller-runtime.
	defaultRenewDeadline = 10 * time.Second
	// namespaceFile contains the namespace of the pod.
	namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
)

// Lease specifies the lease that the leader holds.
type Lease struct {
	// Namespace of the lease. Defaults to the namespace of the pod.
	Namespace string
	// Name of the lease.
	Name string
	// RenewDeadline is the time for which the elector retries a renewal. A single request
	// may take half of it, but at least one second. Defaults to 10s.
	RenewDeadline time.Duration
}

// NewLock returns the same lock as a manager of controller-runtime creates: a lease whose
// holder identity is the host name and a random UID. Changes of the leader are recorded as
// events until ctx ends. NewLock does not change cfg, which must not be guarded by a Fence.
func NewLock(ctx context.Context, cfg *rest.Config, lease Lease) (resourcelock.Interface, error) {
	if lease.Namespace == "" {
		namespace, err := podNamespace(namespaceFile)
		if err != nil {
			return nil, fmt.Errorf("find the namespace of the leader lease: %w", err)
		}
		lease.Namespace = namespace
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("get the host name for the leader identity: %w", err)
	}
	identity := host + "_" + string(uuid.NewUUID())

	cfg = rest.CopyConfig(cfg)
	cfg.UserAgent = cmp.Or(cfg.UserAgent, rest.DefaultKubernetesUserAgent()) + "/leader-election"
	cfg.Timeout = max(cmp.Or(lease.RenewDeadline, defaultRenewDeadline)/2, time.Second)
	clients, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("create client for the leader lease: %w", err)
	}
	events := record.NewBroadcaster(record.WithContext(ctx))
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: clients.CoreV1().Events("")})
	return resourcelock.New(resourcelock.LeasesResourceLock, lease.Namespace, lease.Name,
		clients.CoreV1(), clients.CoordinationV1(), resourcelock.ResourceLockConfig{
			Identity:      identity,
			EventRecorder: events.NewRecorder(clientgoscheme.Scheme, corev1.EventSource{Component: identity}),
		})
}

// podNamespace returns the namespace of the pod that this process runs in.
func podNamespace(file string) (string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("this process does not run in a pod: set the namespace of the lease")
	}
	if err != nil {
		return "", err
	}
	namespace := strings.TrimSpace(string(text))
	if namespace == "" {
		return "", fmt.Errorf("file %s is empty", file)
	}
	return namespace, nil
}
