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
	// renewDeadline is that of controller-runtime.
	defaultRenewDeadline = 10 * time.Second
	// ownNamespace is where a pod finds the name of its namespace.
	namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
)

// Lease says which lease makes a process the leader.
type Lease struct {
	// Namespace that the lease is in; that of the pod if empty.
	Namespace string
	// Name of the lease.
	Name string
	// RenewDeadline is how long the elector tries to renew the lease; 10 s if zero.
	// A single request may take half of it, but at least a second.
	RenewDeadline time.Duration
}

// NewLock makes the lock that a manager of controller-runtime makes by itself: a
// lease that this process holds under its host's name and a random number, and
// about which it records events until ctx ends. cfg stays as it is; it must not
// lead through a Fence.
func NewLock(ctx context.Context, cfg *rest.Config, lease Lease) (resourcelock.Interface, error) {
	if lease.Namespace == "" {
		namespace, err := podNamespace(namespaceFile)
		if err != nil {
			return nil, fmt.Errorf("find namespace of the leader's lease: %w", err)
		}
		lease.Namespace = namespace
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this process: %w", err)
	}
	identity := host + "_" + string(uuid.NewUUID())

	cfg = rest.CopyConfig(cfg)
	cfg.UserAgent = cmp.Or(cfg.UserAgent, rest.DefaultKubernetesUserAgent()) + "/leader-election"
	cfg.Timeout = max(cmp.Or(lease.RenewDeadline, defaultRenewDeadline)/2, time.Second)
	clients, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make client for the leader's lease: %w", err)
	}
	events := record.NewBroadcaster(record.WithContext(ctx))
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: clients.CoreV1().Events("")})
	return resourcelock.New(resourcelock.LeasesResourceLock, lease.Namespace, lease.Name,
		clients.CoreV1(), clients.CoordinationV1(), resourcelock.ResourceLockConfig{
			Identity:      identity,
			EventRecorder: events.NewRecorder(clientgoscheme.Scheme, corev1.EventSource{Component: identity}),
		})
}

// podNamespace is the namespace of the pod that this process runs in.
func podNamespace(file string) (string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("this is no pod: the namespace must be given")
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
