package kube

import (
	"context"
	"fmt"
	"io"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/appmarket/operator/internal/access"
)

// Command is a command that runs in a container with a terminal.
type Command struct {
	Namespace, Pod, Container string
	Arguments                 []string
	// Input is what the user types, and Output what the command writes.
	Input  io.Reader
	Output io.Writer
	// Sizes are the sizes of the terminal, beginning with the first one.
	Sizes remotecommand.TerminalSizeQueue
}

// AllowsExec reports whether the user may run commands in the pods of a namespace. The decision may be as old
// as allowedAge.
func (p *User) AllowsExec(ctx context.Context, namespace string) (bool, error) {
	decision, err := p.cluster.reviews.Review(ctx, p.credential, execRight(namespace))
	if err != nil {
		return false, err
	}
	if decision == access.Unauthenticated {
		return false, apierrors.NewUnauthorized("the credential is not accepted")
	}
	return decision == access.Allowed, nil
}

// ReviewExec returns an error if the user may not run commands in the pods of a namespace at this moment. For a
// credential that is not accepted, apierrors.IsUnauthorized is true, and for a missing right
// apierrors.IsForbidden.
func (p *User) ReviewExec(ctx context.Context, namespace string) error {
	return p.reviewNow(ctx, execRight(namespace))
}

// ReviewLogs is like ReviewExec for reading the log of a pod, or of all pods if the name is empty.
func (p *User) ReviewLogs(ctx context.Context, namespace, name string) error {
	return p.reviewNow(ctx, access.Right{Verb: "get", Resource: "pods", Subresource: "log", Namespace: namespace, Name: name})
}

func (p *User) reviewNow(ctx context.Context, right access.Right) error {
	decision, err := access.NewSelfReviewer(0, 0).Review(ctx, p.credential, right)
	switch {
	case err != nil:
		return err
	case decision == access.Unauthenticated:
		return apierrors.NewUnauthorized("the credential is not accepted")
	case decision != access.Allowed:
		return apierrors.NewForbidden(schema.GroupResource{Resource: right.Resource + "/" + right.Subresource}, "", nil)
	}
	return nil
}

func execRight(namespace string) access.Right {
	return access.Right{Verb: "create", Resource: "pods", Subresource: "exec", Namespace: namespace}
}

// Exec runs a command with the rights of the user until it ends or the context is done. Like kubectl, it uses
// WebSocket, and SPDY where the API server or a proxy refuses that.
func (p *User) Exec(ctx context.Context, c Command) error {
	unlimited, pods, err := p.unlimitedClient()
	if err != nil {
		return err
	}
	address := pods.RESTClient().Post().Resource("pods").Namespace(c.Namespace).Name(c.Pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: c.Container, Command: c.Arguments, Stdin: true, Stdout: true, TTY: true,
		}, scheme.ParameterCodec).URL()
	byWebSocket, err := remotecommand.NewWebSocketExecutor(unlimited, http.MethodGet, address.String())
	if err != nil {
		return fmt.Errorf("create client: %w", err)
	}
	bySPDY, err := remotecommand.NewSPDYExecutor(unlimited, http.MethodPost, address)
	if err != nil {
		return fmt.Errorf("create client: %w", err)
	}
	executor, err := remotecommand.NewFallbackExecutor(byWebSocket, bySPDY, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	if err != nil {
		return fmt.Errorf("create client: %w", err)
	}
	return executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: c.Input, Stdout: c.Output, Tty: true, TerminalSizeQueue: c.Sizes})
}
