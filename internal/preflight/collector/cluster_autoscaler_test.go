package collector

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// currentStatus is a report of version 1.30 or later.
const currentStatus = `time: 2026-11-25 08:19:44.090873082 +0000 UTC
autoscalerStatus: Running
clusterWide:
  health:
    status: Healthy
    nodeCounts: {registered: {total: 5, ready: 5}}
    lastProbeTime: "2026-11-25T08:19:44.088071148Z"
  scaleUp:
    status: NoActivity
nodeGroups:
- name: full
  health: {status: Healthy, cloudProviderTarget: 3, minSize: 1, maxSize: 3}
  scaleUp: {status: NoActivity}
- name: free
  health: {status: Healthy, cloudProviderTarget: 2, minSize: 1, maxSize: 3}
  scaleUp: {status: InProgress}
`

// legacyStatus is a report of an earlier version.
const legacyStatus = `Cluster-autoscaler status at 2026-11-25 08:19:44.090873082 +0000 UTC:
Cluster-wide:
  Health:      Healthy (ready=5 unready=0 notStarted=0 longNotStarted=0 registered=5 longUnregistered=0)
               LastProbeTime:      2026-11-25 08:19:44.088071148 +0000 UTC m=+2030.020714775
               LastTransitionTime: 2026-11-25 07:46:04.409158551 +0000 UTC m=+10.341802256
  ScaleUp:     NoActivity (ready=5 registered=5)
               LastProbeTime:      2026-11-25 08:19:44.088071148 +0000 UTC m=+2030.020714775
  ScaleDown:   NoCandidates (candidates=0)

NodeGroups:
  Name:        full
  Health:      Healthy (ready=3 unready=0 notStarted=0 longNotStarted=0 registered=3 longUnregistered=0 cloudProviderTarget=3 (minSize=1, maxSize=3))
               LastProbeTime:      2026-11-25 08:19:44.088071148 +0000 UTC m=+2030.020714775
  ScaleUp:     NoActivity (ready=3 cloudProviderTarget=3)
  ScaleDown:   NoCandidates (candidates=0)

  Name:        free
  Health:      Healthy (ready=2 unready=0 (resourceUnready=0) notStarted=0 longNotStarted=0 registered=2 longUnregistered=0 cloudProviderTarget=2 (minSize=1, maxSize=3))
               LastProbeTime:      2026-11-25 08:19:44.088071148 +0000 UTC m=+2030.020714775
  ScaleUp:     InProgress (ready=2 cloudProviderTarget=2)
  ScaleDown:   NoCandidates (candidates=0)
`

func TestCanGroupGrow(t *testing.T) {
	replace := strings.ReplaceAll
	for _, c := range []struct {
		why, status string
		want        bool
	}{
		{"a group that is not full", currentStatus, true},
		{"a group that is not full, legacy", legacyStatus, true},
		{"all groups are full", replace(currentStatus, "cloudProviderTarget: 2", "cloudProviderTarget: 3"), false},
		{"all groups are full, legacy", replace(legacyStatus, "cloudProviderTarget=2", "cloudProviderTarget=3"), false},
		{"the group cannot be scaled up now", replace(currentStatus, "InProgress", "Backoff"), false},
		{"the group cannot be scaled up now, legacy", replace(legacyStatus, "InProgress", "Backoff"), false},
		{"the group is unhealthy", replace(currentStatus, "Healthy, cloudProviderTarget: 2", "Unhealthy, cloudProviderTarget: 2"), false},
		{"the group is unhealthy, legacy", replace(legacyStatus, "Healthy (ready=2", "Unhealthy (ready=2"), false},
		{"the cluster is unhealthy", replace(currentStatus, "  health:\n    status: Healthy", "  health:\n    status: Unhealthy"), false},
		{"the cluster is unhealthy, legacy", replace(legacyStatus, "Healthy (ready=5", "Unhealthy (ready=5"), false},
		{"the autoscaler has just started", replace(currentStatus, "Running", "Initializing"), false},
		{"the autoscaler has just started, legacy", "Cluster-autoscaler status at 2026-11-25 08:19:44.090873082 +0000 UTC:\nInitializing", false},
		{"no group", "autoscalerStatus: Running\nclusterWide: {health: {status: Healthy}}", false},
		{"not YAML", "a: b: c", false},
		{"empty", "", false},
	} {
		NewWithT(t).Expect(canGroupGrow(c.status)).To(Equal(c.want), c.why)
	}
}

func TestIsStatusCurrent(t *testing.T) {
	updated := "2026-11-25 08:19:44.090873082 +0000 UTC"
	at := time.Date(2026, time.November, 25, 8, 19, 44, 0, time.UTC)
	for _, c := range []struct {
		why, updated string
		now          time.Time
		want         bool
	}{
		{"recent", updated, at.Add(time.Minute), true},
		{"the clocks differ", updated, at.Add(-time.Minute), true},
		{"the autoscaler was removed", updated, at.Add(time.Hour), false},
		{"no time", "", at, true},
	} {
		status := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{lastUpdatedAnnotation: c.updated}}}
		NewWithT(t).Expect(isStatusCurrent(status, c.now)).To(Equal(c.want), c.why)
	}
}
