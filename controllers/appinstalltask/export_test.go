package appinstalltask

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// NextInQueue returns the tasks that are reconciled when a task has left the queue.
func NextInQueue(ctx context.Context, reader client.Reader, task client.Object) []reconcile.Request {
	return eventHandlers{Reader: reader}.nextInQueue(ctx, task)
}
