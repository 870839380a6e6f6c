package status_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// fixture is an AppInfo in a real API server, with the writes and events for it.
type fixture struct {
	*GomegaWithT
	ctx      context.Context
	client   client.WithWatch
	writes   *testenv.Writes
	recorder *events.FakeRecorder
	app      *v1alpha1.AppInfo
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	server := testenv.Start(t)
	counted, writes := testenv.CountWrites(server.Client)
	b := &fixture{
		GomegaWithT: NewWithT(t), ctx: t.Context(), client: counted, writes: writes,
		recorder: events.NewFakeRecorder(100), app: newApp(server.Namespace(t, nil)),
	}
	server.Create(t, b.app)
	b.reload()
	return b
}

func newApp(namespace string) *v1alpha1.AppInfo {
	return &v1alpha1.AppInfo{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "market.web"},
		Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "market"}, App: "web"},
	}
}

// reload reads the app again, as the next reconcile does.
func (b *fixture) reload() {
	b.app = b.getStored()
}

// getStored returns the app from the API server.
func (b *fixture) getStored() *v1alpha1.AppInfo {
	stored := &v1alpha1.AppInfo{}
	b.Expect(b.client.Get(b.ctx, client.ObjectKeyFromObject(b.app), stored)).To(Succeed())
	return stored
}

// newWriter returns a Writer for the app as it was last read.
func (b *fixture) newWriter() *status.Writer {
	return status.NewWriter(b.client, b.recorder, status.AppInfo, b.app)
}

// reconcileWith runs a reconcile that ends with an error, or with nil.
func (b *fixture) reconcileWith(err error) (ctrl.Result, error) {
	b.reload()
	return b.newWriter().Finish(b.ctx, err, time.Minute)
}

// editSpec changes the spec as a user does, which increments the generation.
func (b *fixture) editSpec(change func(*v1alpha1.AppInfo)) {
	app := b.getStored()
	before := client.MergeFrom(app.DeepCopy())
	change(app)
	b.Expect(b.client.Patch(b.ctx, app, before)).To(Succeed())
	b.writes.Take()
}

// takeEvents returns the events since the last call, sorted.
func (b *fixture) takeEvents() []string {
	var emitted []string
	for {
		select {
		case event := <-b.recorder.Events:
			emitted = append(emitted, event)
		default:
			slices.Sort(emitted)
			return emitted
		}
	}
}
