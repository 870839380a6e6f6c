package hostile_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// neighborChart is the app that a neighbor installs.
var neighborChart = fixture.Chart{Name: "small", Version: "1.0.0", Files: fixture.Files{
	"templates/page.yaml": configMap("{{ .Release.Name }}-page", "  for: {{ .Release.Name }}\n"),
}}

// configMap returns the YAML of a ConfigMap with lines of data.
func configMap(name, data string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"" + name + "\"}\ndata:\n" + data
}

// neighbor is a tenant in a namespace of its own that installs small apps.
type neighbor struct {
	*fixture.Tenant
	installed atomic.Int64
}

func newNeighbor(ctx SpecContext) *neighbor {
	GinkgoHelper()
	n := &neighbor{Tenant: fixture.TenantIn(ctx, cluster, cluster.Namespace(ctx, "neighbor"))}
	n.Offer(ctx, neighborChart)
	_, err := n.installApp(ctx)
	Expect(err).NotTo(HaveOccurred())
	return n
}

// installApp installs the app under a new name and returns how long the installation took.
func (n *neighbor) installApp(ctx context.Context) (time.Duration, error) {
	started := time.Now()
	task := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: n.Namespace, Name: fmt.Sprintf("small-%d", n.installed.Add(1))},
		Spec: v1alpha1.AppInstallTaskSpec{
			Action: v1alpha1.ActionInstall, AppRef: v1alpha1.AppReference{Source: n.Source.Name, Name: neighborChart.Name}, ServiceAccountName: fixture.Account,
		},
	}
	task.Spec.InstanceName = task.Name
	if err := n.Client.Create(ctx, task); err != nil {
		return 0, err
	}
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, timeout, false, func(ctx context.Context) (bool, error) {
		err := n.Client.Get(ctx, client.ObjectKeyFromObject(task), task)
		return err == nil && task.Finished(), err
	})
	duration := time.Since(started)
	if err != nil {
		return duration, fmt.Errorf("the installation of the neighbor did not finish in %s: %w: %v", duration, err, task.Status.Conditions)
	}
	if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded); c == nil || c.Status != metav1.ConditionTrue {
		return duration, fmt.Errorf("the installation of the neighbor failed: %v", task.Status.Conditions)
	}
	return duration, nil
}

// installDelay is the delay between two installations of a neighbor.
const installDelay = 2 * time.Second

// installUntil installs the app repeatedly until stop is closed, at least once, and returns the
// number of installations and the duration of the slowest one.
func (n *neighbor) installUntil(ctx context.Context, stop <-chan struct{}) (count int, slowest time.Duration, err error) {
	for {
		duration, err := n.installApp(ctx)
		if err != nil {
			return count, duration, err
		}
		count++
		slowest = max(slowest, duration)
		select {
		case <-stop:
			return count, slowest, nil
		case <-time.After(installDelay):
		}
	}
}
